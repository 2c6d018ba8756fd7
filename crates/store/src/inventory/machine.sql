-- inventory::put_machine (machine)
insert into machine_tools (
    org_id, member_id, machine_id, tool_id, description, source, observed_at, path, marketplace
)
select $1, $2, $3, b.tool_id, b.description, b.source, $4, b.path, b.marketplace
from unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
    as b (tool_id, description, source, path, marketplace)
order by b.tool_id
on conflict (org_id, member_id, machine_id, tool_id) do update
set
    description = excluded.description, source = excluded.source, observed_at = excluded.observed_at,
    path = excluded.path, marketplace = excluded.marketplace
where machine_tools.observed_at <= excluded.observed_at
    and (machine_tools.description, machine_tools.source, machine_tools.path, machine_tools.marketplace)
        is distinct from (excluded.description, excluded.source, excluded.path, excluded.marketplace)
