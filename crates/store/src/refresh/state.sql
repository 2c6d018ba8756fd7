-- refresh::freshness
select
    r.view_name, r.started_at, r.finished_at, r.duration_ms, r.rows_changed, r.last_error,
    (extract(epoch from clock_timestamp() - r.started_at) * 1000)::bigint as age_ms,
    exists (select from pending_scores p where p.org_id = $1)
        or (r.view_name = 'board_scores' and scores.news_at > coalesce(r.started_at, '-infinity')) as pending,
    now() as at
from score_refresh r
cross join (select news_at from score_refresh where view_name = 'tool_scores') scores
order by r.view_name desc
