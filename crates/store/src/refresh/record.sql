-- refresh::record
update score_refresh
set
    started_at = $1, finished_at = clock_timestamp(),
    duration_ms = (extract(epoch from clock_timestamp() - $1) * 1000)::bigint,
    rows_changed = $2, last_error = null, last_error_at = null
where view_name = 'tool_scores'
returning finished_at, duration_ms
