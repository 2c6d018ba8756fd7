-- catalogue::add
-- An unknown tool is added to the catalogue with its first event; no event is dropped for it.
insert into tools (org_id, tool_id, kind, first_seen_at)
select $1, b.tool_id, split_part(b.tool_id, ':', 1), $2
from unnest($3::text[]) as b (tool_id)
order by b.tool_id
on conflict (org_id, tool_id) do nothing
