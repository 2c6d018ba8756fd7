-- names::candidates (tools)
-- The tool $2 if the org's catalogue has it, its neighbors in the order of ids, and the first ones.
(select tool_id as name from tools where org_id = $1 and tool_id >= $2 order by tool_id limit 500)
union
(select tool_id from tools where org_id = $1 and tool_id < $2 order by tool_id desc limit 500)
union
(select tool_id from tools where org_id = $1 order by tool_id limit 4000)
