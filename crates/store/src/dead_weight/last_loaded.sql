-- dead_weight::with_installations (last loaded)
-- For each tool of one page: when it was last loaded, and the projects of its last twenty sessions, of those
-- since day $4.
-- Of one member ($3) only the time is looked up.
select t.tool_id, coalesce(s.last_loaded_at, l.last_loaded_at) as last_loaded_at, s.projects
from unnest($2::text[]) as t (tool_id)
cross join lateral (
    select
        max(r.observed_at) as last_loaded_at,
        array_agg(distinct r.project order by r.project) filter (
            where r.project is not null and r.observed_at >= $4::date::timestamp at time zone 'UTC'
        ) as projects
    from (
        select s.observed_at, s.project
        from session_tools s
        where s.org_id = $1 and s.tool_id = t.tool_id collate "C" and $3::bigint is null
        order by s.observed_at desc
        limit 20
    ) r
) s
left join loaded_members l on l.org_id = $1 and l.member_id = $3 and l.tool_id = t.tool_id collate "C"
where s.last_loaded_at is not null or l.last_loaded_at is not null
