-- derived::rebuild::rebuild_boards (forget days)
delete from board_days where org_id = $1
