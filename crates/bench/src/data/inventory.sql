-- What the sessions of the org had loaded: thirty tools each, some of which are never called.
insert into session_tools (org_id, member_id, session_id, tool_id, context_bytes, project, observed_at)
select
    d.org_id, d.member_id, 'session-' || d.member_id || '-' || d.day || '-' || s,
    case when t < 24 then 'mcp:tool-' || t * 4 else 'skill:unused-' || (d.member_id + t) % 50 end,
    200 + t * 40, null, d.day::timestamp at time zone 'UTC'
from (select distinct org_id, member_id, day from usage_days where org_id = {org}) d
cross join generate_series(0, 2) s
cross join generate_series(0, 29) t;
insert into loaded_members (org_id, member_id, last_loaded_at, tool_id)
select org_id, member_id, max(observed_at), tool_id
from session_tools
group by org_id, member_id, tool_id
