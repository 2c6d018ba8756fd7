-- scores::score_list
-- $4 names the column to sort by; each arm is null unless it is the one. Ties are broken by tool_id, so pages are stable.
select
    subject as tool_id, split_part(subject, ':', 1) as kind, events, successes, failures, abandoned, unknown,
    success_rate, decided_rate, wilson_low, avg_cost_usd, costed, cost_micro_usd, run_cost_micro_usd, median_duration_ms,
    members, first_used_at, last_used_at
from board_scores
where org_id = $1 and board = 'tools' and days = 0 and builtins
    and ($2::text is null or split_part(subject, ':', 1) = $2)
    and events >= $3
order by
    case when $4 = 'wilson_low' then wilson_low end desc nulls last,
    case when $4 = 'events' then events end desc,
    case when $4 = 'success_rate' then success_rate end desc nulls last,
    case when $4 = 'avg_cost_usd' then avg_cost_usd end desc nulls last,
    case when $4 = 'median_duration_ms' then median_duration_ms end desc nulls last,
    case when $4 = 'last_used_at' then last_used_at end desc nulls last,
    subject
offset $5 limit $6
