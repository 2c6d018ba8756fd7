-- refresh::state
select
    r.started_at, r.finished_at, r.duration_ms, r.rows_changed, r.last_error,
    exists (select from pending_scores p where p.org_id = $1) as pending,
    clock_timestamp() as now
from score_refresh r
where r.view_name = 'tool_scores'
