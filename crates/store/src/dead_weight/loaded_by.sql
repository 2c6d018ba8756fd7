-- dead_weight::with_installations (loaded)
-- For each tool of one page: the handles of twenty members who had it loaded since day $4.
select l.tool_id, (array_agg(l.name order by l.name))[1:20] as loaded_by
from (
    select l.tool_id, board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
    from loaded_members l
    join members m on m.org_id = l.org_id and m.member_id = l.member_id
    join orgs o on o.org_id = l.org_id
    where l.org_id = $1 and l.tool_id = any ($2::text[]) and ($3::bigint is null or l.member_id = $3)
        and l.last_loaded_at >= $4::date::timestamp at time zone 'UTC'
) l
group by l.tool_id
