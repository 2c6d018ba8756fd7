-- derived::boards::medians::follow (leave)
-- The durations of the days that left the windows when their end moved from $2 to $3. $4: the windows. The events are
-- read by their time before anything is joined: not the days of one tool after the other.
with durations as materialized (
    select e.tool_id, w.days, e.duration_ms
    from unnest($4::integer[]) as w (days)
    cross join lateral (
        select tool_id, duration_ms
        from usage_events
        where org_id = $1
            and occurred_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC'
            and occurred_at < ($3::date - w.days + 1)::timestamp at time zone 'UTC'
            and duration_ms is not null
            and not already_counted
    ) e
    where w.days > 0
),
leaving as (
    select
        m.tool_id, m.days,
        count(*) as timed,
        count(*) filter (where d.duration_ms < m.pivot_ms) as below,
        count(*) filter (where d.duration_ms = m.pivot_ms) as level
    from durations d
    join tool_medians m on m.org_id = $1 and m.tool_id = d.tool_id and m.days = d.days
    group by m.tool_id, m.days
)
update tool_medians m
set
    timed = m.timed - l.timed, below = m.below - l.below, level = m.level - l.level,
    median_duration_ms = case when m.timed - l.timed > 0 then m.median_duration_ms end
from leaving l
where m.org_id = $1 and m.tool_id = l.tool_id and m.days = l.days
