-- tool_detail::read_detail (events)
-- The events of one tool since $3, by how they ended, by operation and by version of the agent.
select
    case
        when grouping(outcome) = 0 then 'outcome' when grouping(operation) = 0 then 'operation' else 'version'
    end as part,
    outcome::text,
    reason::text,
    coalesce(operation, agent_version) as name,
    count(*) as events,
    count(*) filter (where is_success) as successes,
    count(*) filter (where is_failure) as failures
from (
    select
        outcome, reason, operation, agent_version,
        outcome = 'success' as is_success, outcome = 'failure' as is_failure
    from usage_events
    where org_id = $1 and tool_id = $2 and not already_counted and ($3::timestamptz is null or occurred_at >= $3)
) e
group by grouping sets ((outcome, reason), (operation), (agent_version))
order by 1, 5 desc, 2, 3, 4
