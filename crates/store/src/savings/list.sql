-- savings::savings
-- The decisions to retire that stand, the latest first, each with what its tool came to in $3 days before and since.
-- The day of the decision is counted from the sessions, other days from loaded_days.
select
    d.decision_id, d.tool_id, d.decided_at, d.decided_by, d.owner, f.first_loaded_at,
    b.sessions as sessions_before, b.requests as requests_before, b.tokens as tokens_before, b.cost as cost_before,
    a.sessions as sessions_after, a.requests as requests_after, a.tokens as tokens_after, a.cost as cost_after,
    n.calls, n.unknown_tool, n.last_at
from (
    select
        decision_id, tool_id, decided_at, decided_by, owner, (decided_at at time zone 'UTC')::date as day,
        (decided_at at time zone 'UTC')::date::timestamp at time zone 'UTC' as day_start
    from tool_decisions
    where org_id = $1 and ended_at is null and decision = 'retire'
        and ($2::uuid is null or decision_id < $2) and ($5::text is null or tool_id = $5)
    order by decision_id desc
    limit $4
) d
cross join lateral (
    select min(l.first_loaded_at) as first_loaded_at
    from loaded_days l
    where l.org_id = $1 and l.tool_id = d.tool_id and l.day <= d.day
) f
cross join lateral (
    select
        coalesce(sum(p.sessions), 0)::bigint as sessions,
        case when count(p.requests) > 0 then least(sum(p.requests), 9223372036854775807) end::bigint as requests,
        case when count(p.tokens) > 0 then least(sum(p.tokens), 9223372036854775807) end::bigint as tokens,
        case when count(p.cost) > 0 then least(sum(p.cost), 9223372036854775807) end::bigint as cost
    from (
        select
            l.sessions, l.requests, greatest(l.carried_tokens, nullif(l.context_tokens, 0)) as tokens,
            l.cost_micro_usd as cost
        from loaded_days l
        where l.org_id = $1 and l.tool_id = d.tool_id and l.day >= d.day - $3::integer and l.day < d.day
        union all
        select 1, s.requests, greatest(s.carried_tokens, s.context_tokens), s.cost_micro_usd
        from session_tools s
        where s.org_id = $1 and s.tool_id = d.tool_id and s.observed_at >= d.day_start and s.observed_at < d.decided_at
    ) p
) b
cross join lateral (
    select
        coalesce(sum(p.sessions), 0)::bigint as sessions,
        case when count(p.requests) > 0 then least(sum(p.requests), 9223372036854775807) end::bigint as requests,
        case when count(p.tokens) > 0 then least(sum(p.tokens), 9223372036854775807) end::bigint as tokens,
        case when count(p.cost) > 0 then least(sum(p.cost), 9223372036854775807) end::bigint as cost
    from (
        select
            l.sessions, l.requests, greatest(l.carried_tokens, nullif(l.context_tokens, 0)) as tokens,
            l.cost_micro_usd as cost
        from loaded_days l
        where l.org_id = $1 and l.tool_id = d.tool_id and l.day > d.day
        union all
        select 1, s.requests, greatest(s.carried_tokens, s.context_tokens), s.cost_micro_usd
        from session_tools s
        where s.org_id = $1 and s.tool_id = d.tool_id
            and s.observed_at >= d.decided_at and s.observed_at < d.day_start + interval '1 day'
    ) p
) a
cross join lateral (
    select
        count(*) as calls, count(*) filter (where c.reason = 'unknown_tool') as unknown_tool,
        max(c.occurred_at) as last_at
    from (
        select e.reason, e.occurred_at
        from usage_events e
        where e.org_id = $1 and e.tool_id = d.tool_id and e.occurred_at >= d.decided_at
        order by e.occurred_at desc
        limit 10000
    ) c
) n
order by d.decision_id desc
