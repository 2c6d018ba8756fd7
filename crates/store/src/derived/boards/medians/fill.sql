-- derived::boards::medians::follow (fill)
-- A first pivot for the tools that have none in a window ($3): those that changed, or with $4 all of the org. $2: the
-- day on which windows end.
insert into tool_medians (org_id, tool_id, days, timed, below, level, pivot_ms)
select $1, t.tool_id, w.days, whole.timed, parts.below, parts.level, coalesce(whole.pivot_ms, 0)
from (
    select subject as tool_id from pending_changes where org_id = $1 and board = 'tools'
    union
    select tool_id from tools where org_id = $1 and $4
) t
cross join unnest($3::integer[]) as w (days)
cross join lateral (
    select case w.days when 0 then '-infinity' else ($2::date - w.days + 1)::timestamp at time zone 'UTC' end as since
) begin
cross join lateral (
    select count(*) as timed, percentile_disc(0.5) within group (order by e.duration_ms) as pivot_ms
    from usage_events e
    where e.org_id = $1 and e.tool_id = t.tool_id and e.duration_ms is not null and e.occurred_at >= begin.since
) whole
cross join lateral (
    select
        count(*) filter (where e.duration_ms < whole.pivot_ms) as below,
        count(*) filter (where e.duration_ms = whole.pivot_ms) as level
    from usage_events e
    where e.org_id = $1 and e.tool_id = t.tool_id and e.duration_ms <= whole.pivot_ms and e.occurred_at >= begin.since
) parts
where not exists (select from tool_medians m where m.org_id = $1 and m.tool_id = t.tool_id and m.days = w.days)
on conflict (org_id, tool_id, days) do nothing
