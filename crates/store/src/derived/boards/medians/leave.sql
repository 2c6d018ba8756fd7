-- derived::boards::medians::follow (leave)
-- The durations of the days that left the windows when their end moved from $2 to $3. $4: the windows.
with leaving as (
    select
        m.tool_id, m.days,
        count(*) as timed,
        count(*) filter (where e.duration_ms < m.pivot_ms) as below,
        count(*) filter (where e.duration_ms = m.pivot_ms) as level
    from unnest($4::integer[]) as w (days)
    join usage_events e
        on e.org_id = $1
        and e.occurred_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC'
        and e.occurred_at < ($3::date - w.days + 1)::timestamp at time zone 'UTC'
        and e.duration_ms is not null
    join tool_medians m on m.org_id = $1 and m.tool_id = e.tool_id and m.days = w.days
    where w.days > 0
    group by m.tool_id, m.days
)
update tool_medians m
set
    timed = m.timed - l.timed, below = m.below - l.below, level = m.level - l.level,
    median_duration_ms = case when m.timed - l.timed > 0 then m.median_duration_ms end
from leaving l
where m.org_id = $1 and m.tool_id = l.tool_id and m.days = l.days
