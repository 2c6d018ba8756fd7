-- inventory::put_sessions (moved)
-- The sessions that now turn out to be older than stored, with the times that they had. The key stands as a range, so
-- that it is looked up whatever the planner knows of the org.
select s.tool_id, s.observed_at
from unnest($3::text[], $4::text[], $5::timestamptz[]) as b (session_id, tool_id, observed_at)
join session_tools s
    on s.org_id = $1 and s.member_id = $2
    and (s.session_id, s.tool_id) >= (b.session_id, b.tool_id)
    and (s.session_id, s.tool_id) <= (b.session_id, b.tool_id)
where s.observed_at > b.observed_at
