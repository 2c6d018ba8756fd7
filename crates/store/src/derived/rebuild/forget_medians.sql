-- derived::rebuild::rebuild_boards (forget medians)
delete from tool_medians where org_id = $1
