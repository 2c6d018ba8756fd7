-- scores::find
select
    tool_id, kind, events, successes, failures, abandoned, unknown, success_rate, decided_rate, wilson_low,
    avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at
from tool_scores
where org_id = $1 and tool_id = $2
