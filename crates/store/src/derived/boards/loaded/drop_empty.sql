-- derived::boards::loaded::count (drop empty)
-- The tools that changed, or with $3 all, that no session of the window had loaded. $2: the day on which windows end.
-- $4: the windows.
delete from loaded_tools t
where t.org_id = $1
    and ($3 or t.tool_id in (select subject from pending_changes where org_id = $1 and board = 'loaded'))
    and (
        t.days <> all ($4::integer[])
        or not exists (
            select from loaded_days d
            where d.org_id = $1 and d.tool_id = t.tool_id
                and d.day > case t.days when 0 then '-infinity' else $2::date - t.days end
        )
    )
