-- derived::boards::loaded::count (drop empty days)
delete from loaded_days d
using (
    select p.subject, p.day
    from (select distinct subject, day from pending_changes where org_id = $1 and board = 'loaded') p
    where not exists (
        select from session_tools s
        where s.org_id = $1 and s.tool_id = p.subject
            and s.observed_at >= p.day::timestamp at time zone 'UTC'
            and s.observed_at < (p.day + 1)::timestamp at time zone 'UTC'
    )
) gone
where d.org_id = $1 and d.tool_id = gone.subject and d.day = gone.day
