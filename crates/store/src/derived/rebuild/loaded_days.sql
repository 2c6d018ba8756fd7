-- derived::rebuild::differences (loaded days)
-- How many days of loaded tools, and how many last times of members, differ from what the sessions say.
with days as (
    select
        tool_id, (observed_at at time zone 'UTC')::date as day, count(*) as sessions,
        least(sum(context_bytes), 9223372036854775807)::bigint as context_bytes, min(observed_at) as first_loaded_at,
        count(*) filter (where context_tokens > 0) as sized,
        least(coalesce(sum(context_tokens), 0), 9223372036854775807)::bigint as context_tokens,
        case when count(requests) > 0 then least(sum(requests), 9223372036854775807) end::bigint as requests,
        case when count(carried_tokens) > 0 then least(sum(carried_tokens), 9223372036854775807) end::bigint as carried_tokens,
        case when count(cost_micro_usd) > 0 then least(sum(cost_micro_usd), 9223372036854775807) end::bigint as cost_micro_usd,
        max(invoke_tokens) as invoke_tokens
    from session_tools
    where org_id = $1
    group by 1, 2
),
kept_days as (
    select
        tool_id, day, sessions, context_bytes, first_loaded_at, sized, context_tokens, requests, carried_tokens, cost_micro_usd, invoke_tokens
    from loaded_days
    where org_id = $1
),
members as (
    select member_id, tool_id, max(observed_at) as last_loaded_at
    from session_tools
    where org_id = $1
    group by 1, 2
),
kept_members as (
    select member_id, tool_id, last_loaded_at from loaded_members where org_id = $1
)
select
    (select count(*) from days full join kept_days using (tool_id, day) where days is distinct from kept_days)
    + (
        select count(*)
        from members
        full join kept_members using (member_id, tool_id)
        where members is distinct from kept_members
    )
