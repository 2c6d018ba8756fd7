-- dead_weight::with_installations (last loaded)
-- For each tool of one page: when a session last had it loaded, and the projects of its last twenty sessions since day $4.
select t.tool_id, l.last_loaded_at, p.projects
from unnest($2::text[]) as t (tool_id)
cross join lateral (
    select max(l.last_loaded_at) as last_loaded_at
    from loaded_members l
    where l.org_id = $1 and l.tool_id = t.tool_id collate "C" and ($3::bigint is null or l.member_id = $3)
) l
cross join lateral (
    select array_agg(distinct s.project order by s.project) as projects
    from (
        select s.project
        from session_tools s
        where s.org_id = $1 and s.tool_id = t.tool_id collate "C"
            and s.observed_at >= $4::date::timestamp at time zone 'UTC'
            and ($3::bigint is null or s.member_id = $3)
        order by s.observed_at desc
        limit 20
    ) s
    where s.project is not null
) p
where l.last_loaded_at is not null
