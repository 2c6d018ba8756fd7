-- scores::find
select
    subject as tool_id, split_part(subject, ':', 1) as kind, events, successes, failures, abandoned, unknown,
    success_rate, decided_rate, wilson_low, avg_cost_usd, costed, cost_micro_usd, run_cost_micro_usd, median_duration_ms,
    members, first_used_at, last_used_at
from board_scores
where org_id = $1 and board = 'tools' and days = 0 and builtins and subject = $2
