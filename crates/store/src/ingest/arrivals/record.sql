-- ingest::arrivals::record
-- The last row that an ingest locks, so that another one that waits for it waits for the commit alone.
insert into arrivals (org_id, day, slot, tools, projects, sessions)
values ($1, $2, $3, $4, $5, $6)
on conflict (org_id, day, slot) do update
set
    tools = arrivals.tools + excluded.tools,
    projects = arrivals.projects + excluded.projects,
    sessions = arrivals.sessions + excluded.sessions
