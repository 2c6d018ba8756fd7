-- refresh::record_error
update score_refresh set last_error = $1, last_error_at = clock_timestamp() where view_name = 'tool_scores'
