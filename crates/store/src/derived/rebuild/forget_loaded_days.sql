-- derived::rebuild::rebuild_boards (forget loaded days)
delete from loaded_days where org_id = $1
