-- derived::rebuild::rebuild_boards (forget loaded)
delete from loaded_tools where org_id = $1
