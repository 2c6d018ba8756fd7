-- derived::boards::loaded::count (count days)
-- The days of loaded tools that changed, counted again from the sessions.
insert into loaded_days (
    org_id, tool_id, day, sessions, context_bytes, first_loaded_at, sized, context_tokens, requests,
    carried_tokens, cost_micro_usd, invoke_tokens
)
select
    $1, p.subject, p.day, c.sessions, c.context_bytes, c.first_loaded_at, c.sized, c.context_tokens, c.requests,
    c.carried_tokens, c.cost_micro_usd, c.invoke_tokens
from (select distinct subject, day from pending_changes where org_id = $1 and board = 'loaded') p
cross join lateral (
    select
        count(*) as sessions, least(sum(s.context_bytes), 9223372036854775807)::bigint as context_bytes,
        min(s.observed_at) as first_loaded_at,
        count(*) filter (where s.context_tokens > 0) as sized,
        least(coalesce(sum(s.context_tokens), 0), 9223372036854775807)::bigint as context_tokens,
        case when count(s.requests) > 0 then least(sum(s.requests), 9223372036854775807) end::bigint as requests,
        case when count(s.carried_tokens) > 0 then least(sum(s.carried_tokens), 9223372036854775807)
        end::bigint as carried_tokens,
        case when count(s.cost_micro_usd) > 0 then least(sum(s.cost_micro_usd), 9223372036854775807)
        end::bigint as cost_micro_usd,
        max(s.invoke_tokens) as invoke_tokens
    from session_tools s
    where s.org_id = $1 and s.tool_id = p.subject
        and s.observed_at >= p.day::timestamp at time zone 'UTC'
        and s.observed_at < (p.day + 1)::timestamp at time zone 'UTC'
) c
where c.sessions > 0
on conflict (org_id, tool_id, day) do update
set
    sessions = excluded.sessions, context_bytes = excluded.context_bytes, first_loaded_at = excluded.first_loaded_at,
    sized = excluded.sized, context_tokens = excluded.context_tokens, requests = excluded.requests,
    carried_tokens = excluded.carried_tokens, cost_micro_usd = excluded.cost_micro_usd,
    invoke_tokens = excluded.invoke_tokens
