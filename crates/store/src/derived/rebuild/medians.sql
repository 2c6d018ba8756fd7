-- derived::rebuild::differences (medians)
-- How many pivots do not stand where they say, windows ending on day $2.
select count(*)
from tool_medians m
cross join lateral (
    select
        count(*) as timed,
        count(*) filter (where e.duration_ms < m.pivot_ms) as below,
        count(*) filter (where e.duration_ms = m.pivot_ms) as level,
        percentile_cont(0.5) within group (order by e.duration_ms) as median_duration_ms
    from usage_events e
    where e.org_id = $1 and e.tool_id = m.tool_id and e.duration_ms is not null
        and not e.already_counted
        and (m.days = 0 or e.occurred_at >= ($2::date - m.days + 1)::timestamp at time zone 'UTC')
) c
where m.org_id = $1
    and (m.timed, m.below, m.level, m.median_duration_ms)
        is distinct from (c.timed, c.below, c.level, c.median_duration_ms)
