-- dead_weight::with_installations (loaded)
-- For each tool of one page: the names of twenty members who had it loaded since day $4, those that joined first.
-- The range of members is a condition of the index, whether $3 names a member or not.
select t.tool_id, array(
    select board_name(o.show_names, o.board_salt, m.member_id, m.handle) collate "C" as name
    from (
        select l.member_id
        from loaded_members l
        where l.org_id = $1 and l.tool_id = t.tool_id
            and l.member_id between coalesce($3::bigint, 0) and coalesce($3, 9223372036854775807)
            and l.last_loaded_at >= $4::date::timestamp at time zone 'UTC'
        order by l.member_id
        limit 20
    ) l
    join members m on m.org_id = $1 and m.member_id = l.member_id
    order by name
) as loaded_by
from orgs o
cross join unnest($2::text[]) t (tool_id)
where o.org_id = $1
