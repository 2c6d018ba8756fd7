-- derived::refresh::freshness
-- The boards first. as_of of the boards as in as_of.sql.
with boards as (
    select
        case when s.last_error is null then greatest(r.started_at, s.as_of) else s.as_of end as as_of,
        coalesce(s.last_error, r.last_error) as last_error,
        greatest(r.started_at, s.as_of) as news_at,
        exists (select from pending_changes p where p.org_id = $1) as pending
    from score_refresh r
    left join board_state s on s.org_id = $1
    where r.view_name = 'board_scores'
)
select
    r.view_name,
    v.as_of,
    r.finished_at, r.duration_ms, r.rows_changed,
    case r.view_name when 'board_scores' then b.last_error else r.last_error end as last_error,
    (extract(epoch from clock_timestamp() - v.as_of) * 1000)::bigint as age_ms,
    b.pending or (r.view_name = 'tool_scores' and b.news_at > coalesce(r.started_at, '-infinity')) is true as pending,
    now() as at
from score_refresh r
cross join boards b
cross join lateral (select case r.view_name when 'board_scores' then b.as_of else r.started_at end as as_of) v
order by r.view_name
