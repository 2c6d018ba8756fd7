-- dead_weight::groups::with_members
-- For each group of tools: the handles of twenty members who had one of them loaded since day $5.
select l.at, (array_agg(l.name order by l.name))[1:20] as loaded_by
from (
    select distinct g.at, board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
    from unnest($2::integer[], $3::text[]) as g (at, tool_id)
    join loaded_members l on l.org_id = $1 and l.tool_id = g.tool_id collate "C"
    join members m on m.org_id = $1 and m.member_id = l.member_id
    join orgs o on o.org_id = $1
    where ($4::bigint is null or l.member_id = $4) and l.last_loaded_at >= $5::date::timestamp at time zone 'UTC'
) l
group by l.at
