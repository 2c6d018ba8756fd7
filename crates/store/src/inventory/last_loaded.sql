-- inventory::put_last_loaded
insert into loaded_members (org_id, member_id, tool_id, last_loaded_at)
select $1, $2, b.tool_id, max(b.observed_at)
from unnest($3::text[], $4::timestamptz[]) as b (tool_id, observed_at)
group by b.tool_id
order by b.tool_id
on conflict (org_id, member_id, tool_id) do update
set last_loaded_at = excluded.last_loaded_at
where loaded_members.last_loaded_at < excluded.last_loaded_at
