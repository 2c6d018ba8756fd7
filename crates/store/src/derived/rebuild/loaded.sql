-- derived::rebuild::differences (loaded)
-- How many rows of loaded tools differ from what the sessions say, windows $3 ending on day $2.
with counted as (
    select
        w.days, s.tool_id, count(*) as sessions, count(distinct s.member_id) as members,
        least(sum(s.context_bytes), 9223372036854775807)::bigint as context_bytes,
        min(s.observed_at) as first_loaded_at,
        count(*) filter (where s.context_tokens > 0) as sized,
        least(coalesce(sum(s.context_tokens), 0), 9223372036854775807)::bigint as context_tokens,
        case when count(s.requests) > 0 then least(sum(s.requests), 9223372036854775807) end::bigint as requests,
        case when count(s.carried_tokens) > 0 then least(sum(s.carried_tokens), 9223372036854775807) end::bigint as carried_tokens,
        case when count(s.cost_micro_usd) > 0 then least(sum(s.cost_micro_usd), 9223372036854775807) end::bigint as cost_micro_usd,
        max(s.invoke_tokens) as invoke_tokens
    from session_tools s
    join unnest($3::integer[]) as w (days)
        on w.days = 0 or s.observed_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC'
    where s.org_id = $1
    group by w.days, s.tool_id
),
kept as (
    select
        days, tool_id, sessions, members, context_bytes, first_loaded_at, sized, context_tokens, requests, carried_tokens, cost_micro_usd, invoke_tokens
    from loaded_tools
    where org_id = $1
)
select count(*)
from counted
full join kept using (days, tool_id)
where counted is distinct from kept
