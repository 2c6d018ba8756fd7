-- leaderboards::precomputed_rows (precomputed)
-- A board of tools or projects over everything: at most as many rows as there are, read from the view by its key.
select
    subject, tools, events, successes, failures, abandoned, unknown, success_rate, decided_rate, wilson_low,
    avg_cost_usd, costed, cost_micro_usd, run_cost_micro_usd, median_duration_ms, members, first_used_at, last_used_at, previous_events, previous_decided_rate,
    previous_wilson_low
from board_scores
where org_id = $1
    and board = $2
    and days = $3
    and builtins = $4
    and ($5::text is null or split_part(subject, ':', 1) = $5)
    and events >= $6
order by case when board = 'tools' then wilson_low end desc nulls last, events desc, subject
offset $7 limit $8
