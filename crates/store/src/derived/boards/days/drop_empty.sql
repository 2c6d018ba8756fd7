-- derived::boards::days::count (drop empty)
-- The days that changed and have no event any more. The key stands as a range, so that it is looked up and no join
-- reads all days of the org.
delete from board_days b
using (select distinct board, subject, day from pending_changes where org_id = $1 and board <> 'loaded') p
where b.org_id = $1
    and (b.board, b.subject, b.day) >= (p.board, p.subject, p.day)
    and (b.board, b.subject, b.day) <= (p.board, p.subject, p.day)
    and not exists (
        select from usage_days d
        where p.board = 'tools' and d.org_id = $1 and d.tool_id = p.subject and d.day = p.day
    )
    and not exists (
        select from usage_days d
        where d.org_id = $1 and d.member_id = case p.board when 'members' then p.subject::bigint end and d.day = p.day
            and d.tool_id like 'builtin:%' = b.builtin
    )
    and not exists (
        select from usage_days d
        where p.board = 'projects' and d.org_id = $1 and d.project = p.subject and d.day = p.day
            and d.tool_id like 'builtin:%' = b.builtin
    )
