-- inventory::put_sessions (sessions)
insert into session_tools (
    org_id, member_id, session_id, tool_id, context_bytes, project, observed_at, context_tokens, requests, carried_tokens,
    cost_micro_usd, invoke_tokens
)
select
    $1, $2, b.session_id, b.tool_id, b.context_bytes, b.project, b.observed_at, b.context_tokens, b.requests,
    b.carried_tokens, b.cost_micro_usd, b.invoke_tokens
from unnest(
    $3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::bigint[], $12::bigint[]
) as b (
    session_id, tool_id, observed_at, context_bytes, project, context_tokens, requests, carried_tokens, cost_micro_usd,
    invoke_tokens
)
order by b.session_id, b.tool_id
on conflict (org_id, member_id, session_id, tool_id) do update
set
    context_bytes = greatest(session_tools.context_bytes, excluded.context_bytes),
    project = coalesce(session_tools.project, excluded.project),
    observed_at = least(session_tools.observed_at, excluded.observed_at),
    context_tokens = greatest(session_tools.context_tokens, excluded.context_tokens),
    requests = greatest(session_tools.requests, excluded.requests),
    carried_tokens = greatest(session_tools.carried_tokens, excluded.carried_tokens),
    cost_micro_usd = greatest(session_tools.cost_micro_usd, excluded.cost_micro_usd),
    invoke_tokens = greatest(session_tools.invoke_tokens, excluded.invoke_tokens)
where session_tools.context_bytes < excluded.context_bytes
    or (session_tools.project is null and excluded.project is not null)
    or session_tools.observed_at > excluded.observed_at
    or coalesce(session_tools.context_tokens, -1) < excluded.context_tokens
    or coalesce(session_tools.requests, -1) < excluded.requests
    or coalesce(session_tools.carried_tokens, -1) < excluded.carried_tokens
    or coalesce(session_tools.cost_micro_usd, -1) < excluded.cost_micro_usd
    or coalesce(session_tools.invoke_tokens, -1) < excluded.invoke_tokens
returning tool_id, observed_at
