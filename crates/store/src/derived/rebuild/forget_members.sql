-- derived::rebuild::rebuild_boards (forget members)
delete from loaded_members where org_id = $1
