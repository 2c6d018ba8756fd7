-- derived::refresh::last_day
select coalesce((select today from board_state where org_id = $1), (now() at time zone 'UTC')::date)
