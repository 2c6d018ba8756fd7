-- dead_weight::with_installations
-- For each tool of one page: how many members have it installed, the handles of twenty, and where it is declared.
select
    i.tool_id, count(distinct i.name) as members_installed,
    (array_agg(distinct i.name order by i.name))[1:20] as installed_by,
    (array_agg(distinct i.source order by i.source) filter (where i.source is not null))[1:20] as sources,
    (array_agg(distinct i.path order by i.path) filter (where i.path is not null))[1:20] as paths
from (
    select i.tool_id, i.source, i.path, board_name(o.show_names, o.board_salt, m.member_id, m.handle) as name
    from machine_tools i
    join members m on m.org_id = i.org_id and m.member_id = i.member_id
    join orgs o on o.org_id = i.org_id
    where i.org_id = $1 and i.tool_id = any ($2::text[]) and ($3::bigint is null or i.member_id = $3)
) i
group by i.tool_id
