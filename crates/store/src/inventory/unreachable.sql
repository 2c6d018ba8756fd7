-- inventory::put_unreachable
insert into unreachable_tools (org_id, member_id, session_id, tool_id, observed_at)
select $1, $2, b.session_id, b.tool_id, min(b.observed_at)
from unnest($3::text[], $4::text[], $5::timestamptz[]) as b (session_id, tool_id, observed_at)
group by b.session_id, b.tool_id
order by b.session_id, b.tool_id
on conflict (org_id, member_id, session_id, tool_id) do update
set observed_at = excluded.observed_at
where unreachable_tools.observed_at > excluded.observed_at
