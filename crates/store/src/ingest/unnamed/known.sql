-- ingest::unnamed::name_known
-- The tools of those calls whose events are stored. Each is looked up as in ingest/compare.sql.
select b.member_id, b.uuid, e.tool_id
from unnest($2::bigint[], $3::text[]) as b (member_id, uuid)
cross join lateral (
    select e.tool_id
    from usage_events e
    where e.org_id = $1 and e.member_id = b.member_id and e.uuid >= b.uuid and e.uuid <= b.uuid
    order by e.uuid
    limit 1
) e
