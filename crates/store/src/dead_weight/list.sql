-- dead_weight::list
-- Tools of the catalogue, and tools that were loaded or are installed, without an event since $2.
with known as (
    select tool_id, first_seen_at from tools where org_id = $1
),
used as (
    select tool_id, events, successes, failures, last_used_at from tool_scores where org_id = $1
),
loaded as (
    select tool_id, count(*) as sessions, count(distinct member_id) as members, sum(context_bytes)::bigint as context_bytes
    from session_tools
    where org_id = $1 and observed_at >= $2
    group by tool_id
),
installed as (
    select tool_id, count(distinct member_id) as members from machine_tools where org_id = $1 group by tool_id
)
select
    k.tool_id,
    u.last_used_at,
    coalesce(l.sessions, 0) as sessions_loaded,
    coalesce(l.members, 0) as members_loaded,
    coalesce(i.members, 0) as members_installed,
    coalesce(l.context_bytes, 0) as context_bytes
from known k
left join used u on u.tool_id = k.tool_id
left join loaded l on l.tool_id = k.tool_id
left join installed i on i.tool_id = k.tool_id
where ($3::text is null or split_part(k.tool_id, ':', 1) = $3)
    and not exists (
        select from usage_events e where e.org_id = $1 and e.tool_id = k.tool_id and e.occurred_at >= $2
    )
order by coalesce(l.context_bytes, 0) desc, coalesce(l.sessions, 0) desc, u.last_used_at nulls first, k.tool_id
offset $4 limit $5
