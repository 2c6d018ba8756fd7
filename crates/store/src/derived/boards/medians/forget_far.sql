-- derived::boards::medians::follow (forget far)
-- The medians that fill.sql finds faster than walk.sql: each step inside of a short window passes all durations of the
-- tool between two of the window, so a walk of `steps` reads steps * whole.timed / m.timed entries of the index, and
-- filling reads and sorts the m.timed durations of the window, each at the cost of about four entries. $2: look at all
-- tools of the org and not only at those that changed.
delete from tool_medians m
using tool_medians whole
where m.org_id = $1 and m.days > 0 and m.timed > 0
    and whole.org_id = $1 and whole.tool_id = m.tool_id and whole.days = 0
    and greatest(m.below - (m.timed - 1) / 2, m.timed / 2 - m.below - m.level + 1)::double precision * whole.timed
        > 4.0 * m.timed * m.timed
    and ($2 or m.tool_id in (select subject from pending_changes where org_id = $1 and board = 'tools'))
