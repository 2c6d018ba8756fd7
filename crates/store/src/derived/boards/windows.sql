-- derived::boards::read_scope (windows)
select coalesce(array_agg(days order by days), '{}') from board_windows
