-- derived::rollup::changes::write (narrow days)
-- First and last use of rows that an event has left, which differences cannot express.
update usage_days d
set first_used_at = e.first_used_at, last_used_at = e.last_used_at
from unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::date[])
    as b (member_id, tool_id, project, already_counted, day)
cross join lateral (
    select min(e.occurred_at) as first_used_at, max(e.occurred_at) as last_used_at
    from usage_events e
    where e.org_id = $1
        and e.member_id = b.member_id
        and e.occurred_at >= b.day::timestamp at time zone 'UTC'
        and e.occurred_at < (b.day + 1)::timestamp at time zone 'UTC'
        and e.tool_id = b.tool_id
        and coalesce(e.project, '') = b.project
        and e.already_counted = b.already_counted
) e
where d.org_id = $1 and d.member_id = b.member_id and d.day = b.day and d.tool_id = b.tool_id
    and d.project = b.project and d.already_counted = b.already_counted and d.events > 0
