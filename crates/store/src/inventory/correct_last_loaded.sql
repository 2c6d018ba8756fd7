-- inventory::put_last_loaded (correct last loaded)
-- Where the session that was the last one has turned out to be older.
update loaded_members l
set last_loaded_at = s.last_loaded_at
from (
    select tool_id, max(observed_at) as last_loaded_at
    from session_tools
    where org_id = $1 and member_id = $2 and tool_id = any ($3::text[])
    group by tool_id
) s
where l.org_id = $1 and l.member_id = $2 and l.tool_id = s.tool_id
