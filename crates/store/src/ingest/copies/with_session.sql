-- ingest::copies::mark (with a session)
-- Which of these calls another member ($2) has uploaded, looked up as in ingest/compare.sql.
select coalesce(array_agg(distinct b.call), '{}') as calls
from unnest($2::bigint[], $3::text[] collate "C", $4::text[] collate "C", $5::integer[])
    as b (member_id, uuid, tool_id, call)
cross join lateral (
    select e.tool_id, e.already_counted
    from usage_events e
    where e.org_id = $1 and e.member_id = b.member_id and e.uuid >= b.uuid and e.uuid <= b.uuid
    order by e.uuid
    limit 1
) e
where e.tool_id = b.tool_id and not e.already_counted
