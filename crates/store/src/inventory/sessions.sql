-- inventory::put_sessions (sessions)
insert into session_tools (org_id, member_id, session_id, tool_id, context_bytes, project, observed_at)
select $1, $2, b.session_id, b.tool_id, b.context_bytes, b.project, b.observed_at
from unnest($3::text[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[])
    as b (session_id, tool_id, observed_at, context_bytes, project)
order by b.session_id, b.tool_id
on conflict (org_id, member_id, session_id, tool_id) do update
set
    context_bytes = greatest(session_tools.context_bytes, excluded.context_bytes),
    project = coalesce(session_tools.project, excluded.project),
    observed_at = least(session_tools.observed_at, excluded.observed_at)
where session_tools.context_bytes < excluded.context_bytes
    or (session_tools.project is null and excluded.project is not null)
    or session_tools.observed_at > excluded.observed_at
returning tool_id, observed_at
