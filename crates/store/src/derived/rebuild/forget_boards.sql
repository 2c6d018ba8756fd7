-- derived::rebuild::rebuild_boards (forget boards)
delete from board_scores where org_id = $1
