-- ingest::arrivals::record
-- Locked in the order of the key, after everything else of an ingest.
insert into arrivals (org_id, day, member_id, tools, projects, sessions)
select $1, $2, b.member_id, b.tools, b.projects, b.sessions
from unnest($3::bigint[], $4::integer[], $5::integer[], $6::integer[]) as b (member_id, tools, projects, sessions)
order by b.member_id
on conflict (org_id, day, member_id) do update
set
    tools = arrivals.tools + excluded.tools,
    projects = arrivals.projects + excluded.projects,
    sessions = arrivals.sessions + excluded.sessions
