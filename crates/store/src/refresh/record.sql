-- refresh::refresh_once (record)
-- news_at is kept when the refresh changed nothing: the boards are out of date only when it moves.
update score_refresh
set
    started_at = $2, finished_at = clock_timestamp(),
    duration_ms = (extract(epoch from clock_timestamp() - $2) * 1000)::bigint,
    rows_changed = $3, last_error = null, last_error_at = null,
    news_at = case when $4 then $2 else news_at end
where view_name = $1
returning duration_ms
