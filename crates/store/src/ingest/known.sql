-- ingest::mostly_known
-- How many of a few events are stored. Each is looked up as in ingest/compare.sql.
select count(*)
from unnest($2::bigint[], $3::text[]) as b (member_id, uuid)
cross join lateral (
    select
    from usage_events e
    where e.org_id = $1 and e.member_id = b.member_id and e.uuid >= b.uuid and e.uuid <= b.uuid
    order by e.uuid
    limit 1
) e
