-- derived::refresh::cycle::begin (pace)
-- The clock, and how many ms are left of the rest after the refresh before: $2 times its length.
select
    clock_timestamp() as now,
    coalesce(greatest(
        r.duration_ms * $2::bigint - extract(epoch from clock_timestamp() - r.finished_at) * 1000, 0
    ), 0)::bigint as rest_ms,
    (boards.started_at > coalesce(r.started_at, '-infinity')) is true as has_news
from score_refresh r, score_refresh boards
where r.view_name = $1 and boards.view_name = 'board_scores'
