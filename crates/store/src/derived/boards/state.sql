-- derived::boards::read_scope
select today, windows from board_state where org_id = $1
