-- derived::boards::days::count (drop empty)
-- The days that changed and have no event any more.
delete from board_days b
using (
    select p.board, p.subject, p.day, kept.builtin
    from (select distinct board, subject, day from pending_changes where org_id = $1 and board <> 'loaded') p
    cross join lateral (
        select builtin from board_days
        where org_id = $1 and board = p.board and subject = p.subject and day = p.day
        offset 0
    ) kept
    where not exists (
        select
        from (
            select d.tool_id from usage_days d
            where p.board = 'tools' and d.org_id = $1 and d.tool_id = p.subject and d.day = p.day
                and not d.already_counted
            union all
            select d.tool_id from usage_days d
            where d.org_id = $1 and d.member_id = case p.board when 'members' then p.subject::bigint end
                and d.day = p.day
            union all
            select d.tool_id from usage_days d
            where p.board = 'projects' and d.org_id = $1 and d.project = p.subject and d.day = p.day
                and not d.already_counted
            union all
            select d.tool_id from usage_days d
            where p.board = 'already_counted' and d.org_id = $1 and d.day = p.day and d.already_counted
        ) d
        where d.tool_id like 'builtin:%' = kept.builtin
    )
) gone
where b.org_id = $1 and b.board = gone.board and b.subject = gone.subject and b.day = gone.day
    and b.builtin = gone.builtin
