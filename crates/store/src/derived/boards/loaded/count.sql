-- derived::boards::loaded::count (count)
-- In how many sessions, and of how many members, the tools that changed, or with $4 all, were loaded in the windows $3,
-- which end on day $2.
insert into loaded_tools (
    org_id, days, tool_id, sessions, members, context_bytes, first_loaded_at, sized, context_tokens,
    requests, carried_tokens, cost_micro_usd, invoke_tokens
)
select
    $1, w.days, t.tool_id, c.sessions, reach.members, c.context_bytes, c.first_loaded_at, c.sized, c.context_tokens,
    c.requests, c.carried_tokens, c.cost_micro_usd, c.invoke_tokens
from (
    select subject as tool_id from pending_changes where org_id = $1 and board = 'loaded'
    union
    select tool_id from loaded_tools where org_id = $1 and days = 0 and $4
) t
cross join board_windows_on($2::date, $3::integer[]) w
cross join lateral (
    select
        sum(l.sessions)::bigint as sessions, least(sum(l.context_bytes), 9223372036854775807)::bigint as context_bytes,
        min(l.first_loaded_at) as first_loaded_at, sum(l.sized)::bigint as sized,
        least(sum(l.context_tokens), 9223372036854775807)::bigint as context_tokens,
        case when count(l.requests) > 0 then least(sum(l.requests), 9223372036854775807) end::bigint as requests,
        case when count(l.carried_tokens) > 0 then least(sum(l.carried_tokens), 9223372036854775807)
        end::bigint as carried_tokens,
        case when count(l.cost_micro_usd) > 0 then least(sum(l.cost_micro_usd), 9223372036854775807)
        end::bigint as cost_micro_usd,
        max(l.invoke_tokens) as invoke_tokens
    from loaded_days l
    where l.org_id = $1 and l.tool_id = t.tool_id and l.day > w.before
) c
cross join lateral (
    select count(*) as members
    from loaded_members l
    where l.org_id = $1 and l.tool_id = t.tool_id
        and l.last_loaded_at >= (w.before + 1)::timestamp at time zone 'UTC'
) reach
where c.sessions > 0
on conflict (org_id, days, tool_id) do update
set
    sessions = excluded.sessions, members = excluded.members, context_bytes = excluded.context_bytes,
    first_loaded_at = excluded.first_loaded_at, sized = excluded.sized, context_tokens = excluded.context_tokens,
    requests = excluded.requests, carried_tokens = excluded.carried_tokens, cost_micro_usd = excluded.cost_micro_usd,
    invoke_tokens = excluded.invoke_tokens
