-- derived::refresh::cycle::recorded
update score_refresh set last_error = $2, last_error_at = clock_timestamp() where view_name = $1
