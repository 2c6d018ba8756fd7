-- dead_weight::with_installations
-- For each tool of one page: how many members have it installed, and the handles of twenty.
select i.tool_id, count(*) as members_installed, (array_agg(i.name order by i.name))[1:20] as installed_by
from (
    select distinct i.tool_id, board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
    from machine_tools i
    join members m on m.org_id = i.org_id and m.member_id = i.member_id
    join orgs o on o.org_id = i.org_id
    where i.org_id = $1 and i.tool_id = any ($2::text[]) and ($3::bigint is null or i.member_id = $3)
) i
group by i.tool_id
