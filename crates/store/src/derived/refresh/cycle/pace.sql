-- derived::refresh::cycle::begin (pace)
-- The clock, and how many ms are left of the rest after the refresh before: $2 times its length. The view has news
-- since the latest refresh of an org, which a process that was killed may not have recorded for all.
select
    clock_timestamp() as now,
    coalesce(greatest(
        r.duration_ms * $2::bigint - extract(epoch from clock_timestamp() - r.finished_at) * 1000, 0
    ), 0)::bigint as rest_ms,
    (
        greatest(boards.started_at, (select max(as_of) from board_state)) > coalesce(r.started_at, '-infinity')
    ) is true as has_news
from score_refresh r, score_refresh boards
where r.view_name = $1 and boards.view_name = 'board_scores'
