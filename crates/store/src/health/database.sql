-- health::database_state
select
    split_part(current_setting('server_version'), ' ', 1) as version,
    pg_database_size(current_database()) as bytes,
    coalesce(s.deadlocks, 0)::bigint as deadlocks,
    coalesce(s.numbackends, 0)::bigint as connections
from pg_stat_database s
where s.datname = current_database()
