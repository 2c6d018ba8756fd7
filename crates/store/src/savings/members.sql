-- savings::savings (members)
-- For each tool of a page, retired at a time: twenty members who have loaded it since, who have it installed, and who
-- have called it since.
select
    t.tool_id,
    (
        select (array_agg(n.name order by n.name))[1:20]
        from (
            select board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
            from loaded_members l
            join members m on m.org_id = $1 and m.member_id = l.member_id
            where l.org_id = $1 and l.tool_id = t.tool_id collate "C" and l.last_loaded_at >= t.since
        ) n
    ) as still_loaded_by,
    (
        select (array_agg(distinct n.name order by n.name))[1:20]
        from (
            select board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
            from machine_tools i
            join members m on m.org_id = $1 and m.member_id = i.member_id
            where i.org_id = $1 and i.tool_id = t.tool_id collate "C"
        ) n
    ) as still_installed_by,
    (
        select (array_agg(distinct n.name order by n.name))[1:20]
        from (
            select board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
            from (
                select u.member_id
                from usage_totals u
                where u.org_id = $1 and u.tool_id = t.tool_id collate "C" and u.last_used_at >= t.since
                limit 1000
            ) u
            join members m on m.org_id = $1 and m.member_id = u.member_id
        ) n
    ) as called_by
from unnest($2::text[], $3::timestamptz[]) as t (tool_id, since)
join orgs o on o.org_id = $1
