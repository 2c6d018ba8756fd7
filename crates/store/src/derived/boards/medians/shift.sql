-- derived::boards::medians::follow (shift)
-- How far the durations that came and went moved the middle of each window. $2 is the day on which the windows ended
-- when they were last counted; tools that have no pivot yet are counted whole by fill.sql.
with changed as (
    select p.subject as tool_id, p.day, v.ms, v.sign
    from pending_changes p
    cross join lateral (
        select unnest(p.added) as ms, 1 as sign
        union all
        select unnest(p.removed), -1
    ) v
    where p.org_id = $1 and p.board = 'tools'
),
shifts as (
    select
        m.tool_id, m.days,
        sum(c.sign) as timed,
        coalesce(sum(c.sign) filter (where c.ms < m.pivot_ms), 0) as below,
        coalesce(sum(c.sign) filter (where c.ms = m.pivot_ms), 0) as level
    from changed c
    join tool_medians m on m.org_id = $1 and m.tool_id = c.tool_id and (m.days = 0 or c.day > $2::date - m.days)
    group by m.tool_id, m.days
)
update tool_medians m
set
    timed = m.timed + s.timed, below = m.below + s.below, level = m.level + s.level,
    median_duration_ms = case when m.timed + s.timed > 0 then m.median_duration_ms end
from shifts s
where m.org_id = $1 and m.tool_id = s.tool_id and m.days = s.days
