-- scores::list
-- $5 names the column to sort by; each arm is null unless it is the one. Ties are broken by tool_id, so pages are stable.
select
    tool_id, kind, events, successes, failures, abandoned, unknown, success_rate, decided_rate, wilson_low,
    avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at
from tool_scores
where org_id = $1
    and ($2::text is null or kind = $2)
    and events >= $3
    and ($4::text is null or tool_id = $4)
order by
    case when $5 = 'wilson_low' then wilson_low end desc nulls last,
    case when $5 = 'events' then events end desc,
    case when $5 = 'success_rate' then success_rate end desc nulls last,
    case when $5 = 'avg_cost_usd' then avg_cost_usd end desc nulls last,
    case when $5 = 'median_duration_ms' then median_duration_ms end desc nulls last,
    case when $5 = 'last_used_at' then last_used_at end desc nulls last,
    tool_id
offset $6 limit $7
