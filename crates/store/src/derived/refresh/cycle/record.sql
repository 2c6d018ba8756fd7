-- derived::refresh::cycle::record
update score_refresh
set
    started_at = $2, finished_at = clock_timestamp(),
    duration_ms = (extract(epoch from clock_timestamp() - $2) * 1000)::bigint,
    rows_changed = $3, last_error = null, last_error_at = null
where view_name = $1
returning duration_ms
