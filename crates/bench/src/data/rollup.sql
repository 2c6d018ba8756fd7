-- The daily rollup of generated events, as the ingest would have kept it.
insert into usage_days (
    org_id, member_id, day, tool_id, project, events, successes, failures, abandoned, unknown, unknown_tool, costed,
    timed, cost_micro_usd, first_used_at, last_used_at
)
select
    org_id, member_id, (occurred_at at time zone 'UTC')::date, tool_id, coalesce(project, ''), count(*),
    count(*) filter (where outcome = 'success'), count(*) filter (where outcome = 'failure'),
    count(*) filter (where outcome = 'abandoned'), count(*) filter (where outcome = 'unknown'),
    count(*) filter (where reason = 'unknown_tool'), count(cost_micro_usd), count(duration_ms),
    coalesce(sum(cost_micro_usd), 0)::bigint, min(occurred_at), max(occurred_at)
from usage_events
group by 1, 2, 3, 4, 5;

insert into usage_totals (
    org_id, member_id, tool_id, project, events, successes, failures, abandoned, unknown, unknown_tool, costed, timed,
    cost_micro_usd, first_used_at, last_used_at
)
select
    org_id, member_id, tool_id, project, sum(events), sum(successes), sum(failures), sum(abandoned), sum(unknown),
    sum(unknown_tool), sum(costed), sum(timed), sum(cost_micro_usd), min(first_used_at), max(last_used_at)
from usage_days
group by org_id, member_id, tool_id, project
