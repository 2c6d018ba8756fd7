-- dead_weight::rows_of (live)
-- The figures of each tool of the catalogue, for any window that begins on day $2, and for one project ($4) or one
-- member ($5): tools that neither ever had are left out. With $6, only of tools without an event since then.
with ever as (
    select tool_id, min(first_used_at) as first_used_at, max(last_used_at) as last_used_at
    from usage_totals
    where org_id = $1 and ($4::text is null or project = $4) and ($5::bigint is null or member_id = $5)
    group by tool_id
),
recently as (
    select
        tool_id, sum(events)::bigint as events, sum(successes)::bigint as successes,
        sum(failures)::bigint as failures, sum(unknown_tool)::bigint as unknown_tool,
        count(distinct member_id) as members
    from usage_days
    where org_id = $1 and day >= $2 and ($4::text is null or project = $4) and ($5::bigint is null or member_id = $5)
        and ($5::bigint is not null or not already_counted)
    group by tool_id
),
used as (
    select
        e.tool_id, coalesce(r.events, 0) as events, coalesce(r.successes, 0) as successes,
        coalesce(r.failures, 0) as failures, coalesce(r.unknown_tool, 0) as unknown_tool,
        coalesce(r.members, 0) as members, e.first_used_at, e.last_used_at
    from ever e
    left join recently r on r.tool_id = e.tool_id
),
loaded as (
    select
        tool_id,
        count(*) filter (where observed_at >= $2::timestamp at time zone 'UTC') as sessions,
        count(distinct member_id) filter (where observed_at >= $2::timestamp at time zone 'UTC') as members,
        least(
            coalesce(sum(context_bytes) filter (where observed_at >= $2::timestamp at time zone 'UTC'), 0),
            9223372036854775807
        )::bigint as context_bytes,
        count(*) filter (where observed_at >= $2::timestamp at time zone 'UTC' and context_tokens > 0) as sized,
        least(
            coalesce(sum(context_tokens) filter (where observed_at >= $2::timestamp at time zone 'UTC'), 0),
            9223372036854775807
        )::bigint as context_tokens,
        case when count(requests) filter (where observed_at >= $2::timestamp at time zone 'UTC') > 0 then least(
            sum(requests) filter (where observed_at >= $2::timestamp at time zone 'UTC'), 9223372036854775807
        ) end::bigint as requests,
        case when count(carried_tokens) filter (where observed_at >= $2::timestamp at time zone 'UTC') > 0 then least(
            sum(carried_tokens) filter (where observed_at >= $2::timestamp at time zone 'UTC'), 9223372036854775807
        ) end::bigint as carried_tokens,
        case when count(cost_micro_usd) filter (where observed_at >= $2::timestamp at time zone 'UTC') > 0 then least(
            sum(cost_micro_usd) filter (where observed_at >= $2::timestamp at time zone 'UTC'), 9223372036854775807
        ) end::bigint as cost_micro_usd,
        max(invoke_tokens) filter (where observed_at >= $2::timestamp at time zone 'UTC') as invoke_tokens,
        min(observed_at) as first_loaded_at
    from session_tools
    where org_id = $1 and ($4::text is null or project = $4) and ($5::bigint is null or member_id = $5)
    group by tool_id
),
installed as (
    select distinct tool_id
    from machine_tools
    where org_id = $1 and ($5::bigint is null or member_id = $5)
)
select
    t.tool_id,
    d.decision,
    least(t.first_seen_at, u.first_used_at, l.first_loaded_at) as known_since,
    u.last_used_at,
    coalesce(u.events, 0) as events,
    coalesce(u.successes, 0) as successes,
    coalesce(u.failures, 0) as failures,
    coalesce(u.unknown_tool, 0) as unknown_tool,
    coalesce(u.members, 0) as members,
    coalesce(l.sessions, 0) as sessions_loaded,
    coalesce(l.members, 0) as members_loaded,
    coalesce(l.context_bytes, 0) as context_bytes,
    coalesce(l.sized, 0) as sized,
    coalesce(l.context_tokens, 0) as context_tokens,
    l.requests,
    l.carried_tokens,
    l.cost_micro_usd,
    l.invoke_tokens,
    (
        select count(distinct (w.member_id, w.session_id))
        from unreachable_tools w
        where w.org_id = $1 and w.tool_id = t.tool_id and w.observed_at >= $2::timestamp at time zone 'UTC'
            and ($5::bigint is null or w.member_id = $5)
    ) as sessions_unreachable,
    case when coalesce(u.events, 0) = 0 then called_twin($1, t.tool_id) end as duplicate_of,
    l.tool_id is not null as ever_loaded,
    i.tool_id is not null as installed,
    l.tool_id is not null or exists (
        select
        from machine_tools i
        join loaded_members m on m.org_id = $1 and m.member_id = i.member_id
        where i.org_id = $1 and i.tool_id = t.tool_id and ($5::bigint is null or i.member_id = $5)
    ) as listed,
    (
        select count(distinct member_id)
        from usage_days
        where org_id = $1 and day >= $2 and ($4::text is null or project = $4)
            and ($5::bigint is null or member_id = $5)
    ) as active_members
from tools t
left join tool_decisions d
    on d.org_id = $1 and d.tool_id = t.tool_id and d.ended_at is null
    and (d.until is null or d.until >= (now() at time zone 'UTC')::date)
left join used u on u.tool_id = t.tool_id
left join loaded l on l.tool_id = t.tool_id
left join installed i on i.tool_id = t.tool_id
where t.org_id = $1
    and ($3 = 'all' or ($3::text is null and t.kind not in ('builtin', 'command')) or t.kind = $3)
    and (not $6 or coalesce(u.events, 0) = 0)
    and (
        ($4::text is null and $5::bigint is null)
        or u.tool_id is not null
        or l.tool_id is not null
        or (i.tool_id is not null and $4::text is null)
    )
    and ($9 or d.tool_id is null)
order by context_bytes desc, sessions_loaded desc, u.last_used_at nulls first, t.tool_id
offset $7 limit $8
