-- derived::boards::read_scope (state)
select today, windows from board_state where org_id = $1
