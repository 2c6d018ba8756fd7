-- ingest::arrivals::allowance
-- How many more tools, projects and sessions the org may get on day $2.
select
    o.new_tools_a_day - coalesce(sum(a.tools), 0) as tools,
    o.new_projects_a_day - coalesce(sum(a.projects), 0) as projects,
    o.new_sessions_a_day - coalesce(sum(a.sessions), 0) as sessions
from orgs o
left join arrivals a on a.org_id = $1 and a.day = $2
where o.org_id = $1
group by o.org_id
