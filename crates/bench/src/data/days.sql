-- The daily rollup of generated events, as the ingest would have maintained it, of the days from {from} until {to}.
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
where occurred_at >= '{from} 00:00:00Z' and occurred_at < '{to} 00:00:00Z'
group by 1, 2, 3, 4, 5
