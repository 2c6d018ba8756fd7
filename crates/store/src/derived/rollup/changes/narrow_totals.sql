-- derived::rollup::changes::write (narrow totals)
-- First and last use of rows that an event has left, from the days, which have been narrowed before.
update usage_totals t
set first_used_at = d.first_used_at, last_used_at = d.last_used_at
from unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[])
    as b (member_id, tool_id, project, already_counted)
cross join lateral (
    select min(d.first_used_at) as first_used_at, max(d.last_used_at) as last_used_at
    from usage_days d
    where d.org_id = $1 and d.member_id = b.member_id and d.tool_id = b.tool_id and d.project = b.project
        and d.already_counted = b.already_counted
) d
where t.org_id = $1 and t.member_id = b.member_id and t.tool_id = b.tool_id and t.project = b.project
    and t.already_counted = b.already_counted and t.events > 0
