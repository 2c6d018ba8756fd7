-- derived::boards::loaded::count (count days)
-- The days of loaded tools that changed, counted again from the sessions.
insert into loaded_days (org_id, tool_id, day, sessions, context_bytes, first_loaded_at)
select $1, p.subject, p.day, c.sessions, c.context_bytes, c.first_loaded_at
from (select distinct subject, day from pending_changes where org_id = $1 and board = 'loaded') p
cross join lateral (
    select
        count(*) as sessions, least(sum(s.context_bytes), 9223372036854775807)::bigint as context_bytes,
        min(s.observed_at) as first_loaded_at
    from session_tools s
    where s.org_id = $1 and s.tool_id = p.subject
        and s.observed_at >= p.day::timestamp at time zone 'UTC'
        and s.observed_at < (p.day + 1)::timestamp at time zone 'UTC'
) c
where c.sessions > 0
on conflict (org_id, tool_id, day) do update
set
    sessions = excluded.sessions, context_bytes = excluded.context_bytes, first_loaded_at = excluded.first_loaded_at
