-- derived::rollup::rebuild_totals
insert into usage_totals (
    org_id, member_id, tool_id, project, already_counted, events, successes, failures, abandoned, unknown,
    unknown_tool, costed, timed, cost_micro_usd, run_cost_micro_usd, first_used_at, last_used_at
)
select
    org_id, member_id, tool_id, project, already_counted, sum(events), sum(successes), sum(failures), sum(abandoned),
    sum(unknown), sum(unknown_tool), sum(costed), sum(timed),
    least(sum(cost_micro_usd), 9223372036854775807), least(sum(run_cost_micro_usd), 9223372036854775807), min(first_used_at), max(last_used_at)
from usage_days
where org_id = $1 and member_id = $2
group by org_id, member_id, tool_id, project, already_counted
