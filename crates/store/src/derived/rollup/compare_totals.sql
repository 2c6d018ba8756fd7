-- derived::rollup::compare (compare totals)
-- One statement, so that days and totals are of one moment.
with by_days as (
    select
        tool_id,
        project,
        already_counted,
        sum(events) as events,
        sum(successes) as successes,
        sum(failures) as failures,
        sum(abandoned) as abandoned,
        sum(unknown) as unknown,
        sum(unknown_tool) as unknown_tool,
        sum(costed) as costed,
        sum(timed) as timed,
        least(sum(cost_micro_usd), 9223372036854775807)::bigint as cost_micro_usd,
        least(sum(run_cost_micro_usd), 9223372036854775807)::bigint as run_cost_micro_usd,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at
    from usage_days
    where org_id = $1 and member_id = $2
    group by tool_id, project, already_counted
),
stored as (
    select
        tool_id, project, already_counted, events, successes, failures, abandoned, unknown, unknown_tool, costed,
        timed, cost_micro_usd, run_cost_micro_usd, first_used_at, last_used_at
    from usage_totals
    where org_id = $1 and member_id = $2
)
select count(*)
from by_days
full join stored using (tool_id, project, already_counted)
where by_days is distinct from stored
