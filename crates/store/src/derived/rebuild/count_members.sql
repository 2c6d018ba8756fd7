-- derived::rebuild::rebuild_boards (count members)
insert into loaded_members (org_id, member_id, tool_id, last_loaded_at)
select org_id, member_id, tool_id, max(observed_at)
from session_tools
where org_id = $1
group by org_id, member_id, tool_id
