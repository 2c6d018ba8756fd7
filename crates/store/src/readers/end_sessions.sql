-- readers::end_sessions
-- Ends sessions of readers that exceed what a reader may, whatever the role has set for itself: statements and pauses in
-- a transaction of more than $1 seconds, transactions of more than $2, and connections beyond the $3 oldest of a role.
select a.usename::text as role_name, pg_terminate_backend(a.pid) as ended
from (
    select
        s.pid, s.usename,
        row_number() over (partition by s.usename order by s.backend_start, s.pid) > $3 as is_surplus,
        (s.state = 'active' and s.query_start < now() - make_interval(secs => $1))
            or (s.state like 'idle in transaction%' and s.state_change < now() - make_interval(secs => $1))
            or s.xact_start < now() - make_interval(secs => $2) as is_too_long
    from pg_stat_activity s
    join org_readers r on r.role_name = s.usename
    where s.datname = current_database()
) a
where a.is_surplus or a.is_too_long
