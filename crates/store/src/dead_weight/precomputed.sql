-- dead_weight::rows_of (precomputed)
-- The figures of each tool of the catalogue, for one of the windows that the boards hold ($2 days); with $4, only of
-- those without an event in it.
select
    t.tool_id,
    d.decision,
    least(t.first_seen_at, s.first_used_at, ever.first_loaded_at) as known_since,
    s.last_used_at,
    coalesce(b.events, 0) as events,
    coalesce(b.successes, 0) as successes,
    coalesce(b.failures, 0) as failures,
    coalesce(b.unknown_tool, 0) as unknown_tool,
    coalesce(b.members, 0) as members,
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
        where w.org_id = $1 and w.tool_id = t.tool_id
            and w.observed_at >= ($8::date)::timestamp at time zone 'UTC'
    ) as sessions_unreachable,
    case when coalesce(b.events, 0) = 0 then called_twin($1, t.tool_id) end as duplicate_of,
    ever.tool_id is not null as ever_loaded,
    exists (select from machine_tools i where i.org_id = $1 and i.tool_id = t.tool_id) as installed,
    ever.tool_id is not null or exists (
        select
        from machine_tools i
        join loaded_members m on m.org_id = $1 and m.member_id = i.member_id
        where i.org_id = $1 and i.tool_id = t.tool_id
    ) as listed,
    (
        select count(*)
        from board_scores a
        where a.org_id = $1 and a.board = 'members' and a.days = $2 and a.builtins
    ) as active_members
from tools t
left join tool_decisions d
    on d.org_id = $1 and d.tool_id = t.tool_id and d.ended_at is null
    and (d.until is null or d.until >= (now() at time zone 'UTC')::date)
left join board_scores s
    on s.org_id = $1 and s.board = 'tools' and s.days = 0 and s.builtins and s.subject = t.tool_id
left join board_scores b
    on b.org_id = $1 and b.board = 'tools' and b.days = $2 and b.builtins and b.subject = t.tool_id
left join loaded_tools l on l.org_id = $1 and l.days = $2 and l.tool_id = t.tool_id
left join loaded_tools ever on ever.org_id = $1 and ever.days = 0 and ever.tool_id = t.tool_id
where t.org_id = $1
    -- What ships with the agent, and commands, cannot be removed: they are listed when they are asked for.
    and ($3 = 'all' or ($3::text is null and t.kind not in ('builtin', 'command')) or t.kind = $3)
    and (not $4 or coalesce(b.events, 0) = 0)
    and ($7 or d.tool_id is null)
order by context_bytes desc, sessions_loaded desc, s.last_used_at nulls first, t.tool_id
offset $5 limit $6
