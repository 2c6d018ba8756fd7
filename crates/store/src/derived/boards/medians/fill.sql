-- derived::boards::medians::follow (fill)
-- A first pivot for the tools that have none in a window ($3): those that changed, or with $4 all of the org. $2: the
-- day on which windows end.
--
-- What is missing is known before any event is read, and the range of durations keeps to usage_events_durations_idx.
insert into tool_medians (org_id, tool_id, days, timed, below, level, pivot_ms)
with missing as materialized (
    select
        t.tool_id, w.days,
        case w.days when 0 then '-infinity' else ($2::date - w.days + 1)::timestamp at time zone 'UTC' end as since
    from (
        select subject as tool_id from pending_changes where org_id = $1 and board = 'tools'
        union
        select tool_id from tools where org_id = $1 and $4
    ) t
    cross join unnest($3::integer[]) as w (days)
    where not exists (select from tool_medians m where m.org_id = $1 and m.tool_id = t.tool_id and m.days = w.days)
)
select $1, m.tool_id, m.days, whole.timed, parts.below, parts.level, coalesce(whole.pivot_ms, 0)
from missing m
cross join lateral (
    select count(*) as timed, percentile_disc(0.5) within group (order by e.duration_ms) as pivot_ms
    from usage_events e
    where e.org_id = $1 and e.tool_id = m.tool_id and e.duration_ms is not null and not e.already_counted
        and e.occurred_at >= m.since
) whole
cross join lateral (
    select
        count(*) filter (where e.duration_ms < whole.pivot_ms) as below,
        count(*) filter (where e.duration_ms = whole.pivot_ms) as level
    from usage_events e
    where e.org_id = $1 and e.tool_id = m.tool_id and e.duration_ms <= whole.pivot_ms
        and not e.already_counted and e.occurred_at >= m.since
) parts
on conflict (org_id, tool_id, days) do nothing
