-- derived::rebuild::differences (loaded)
-- How many rows of loaded tools differ from what the sessions say, windows $3 ending on day $2.
with counted as (
    select
        w.days, s.tool_id, count(*) as sessions, count(distinct s.member_id) as members,
        least(sum(s.context_bytes), 9223372036854775807)::bigint as context_bytes,
        min(s.observed_at) as first_loaded_at
    from session_tools s
    join unnest($3::integer[]) as w (days)
        on w.days = 0 or s.observed_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC'
    where s.org_id = $1
    group by w.days, s.tool_id
),
kept as (
    select days, tool_id, sessions, members, context_bytes, first_loaded_at from loaded_tools where org_id = $1
)
select count(*)
from counted
full join kept using (days, tool_id)
where counted is distinct from kept
