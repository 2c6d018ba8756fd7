-- derived::boards::all_windows
select coalesce(array_agg(days order by days), '{}') from board_windows
