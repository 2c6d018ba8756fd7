-- derived::rollup::compare (compare days)
-- One statement, so that events and rollup are of one moment.
with by_events as (
    select
        (occurred_at at time zone 'UTC')::date as day,
        tool_id,
        coalesce(project, '') as project,
        already_counted,
        count(*)::integer as events,
        count(*) filter (where outcome = 'success')::integer as successes,
        count(*) filter (where outcome = 'failure')::integer as failures,
        count(*) filter (where outcome = 'abandoned')::integer as abandoned,
        count(*) filter (where outcome = 'unknown')::integer as unknown,
        count(*) filter (where reason = 'unknown_tool')::integer as unknown_tool,
        count(cost_micro_usd)::integer as costed,
        count(duration_ms)::integer as timed,
        least(coalesce(sum(cost_micro_usd), 0), 9223372036854775807)::bigint as cost_micro_usd,
        least(coalesce(sum(run_cost_micro_usd), 0), 9223372036854775807)::bigint as run_cost_micro_usd,
        min(occurred_at) as first_used_at,
        max(occurred_at) as last_used_at
    from usage_events
    where org_id = $1 and member_id = $2
    group by 1, 2, 3, 4
),
stored as (
    select
        day, tool_id, project, already_counted, events, successes, failures, abandoned, unknown, unknown_tool,
        costed, timed, cost_micro_usd, run_cost_micro_usd, first_used_at, last_used_at
    from usage_days
    where org_id = $1 and member_id = $2
)
select count(*) as days, count(*) filter (where by_events is distinct from stored) as differences
from by_events
full join stored using (day, tool_id, project, already_counted)
