-- policy::read
-- The weakest lock that a deletion of the member's data has to wait for, taken in the order of the key: that of $2.
-- Members whose data is being deleted have no row here: nobody waits for them with a connection in hand.
-- Looked up as in ingest/compare.sql, so that an org's other members are not read.
select m.member_id, m.events_before, o.retention_days, o.task_text_allowed
from unnest($2::bigint[]) as b (member_id)
cross join lateral (
    select m.member_id, m.events_before
    from members m
    where m.org_id = $1 and m.member_id >= b.member_id and m.member_id <= b.member_id
    order by m.member_id
    limit 1
    for key share skip locked
) m
join orgs o on o.org_id = $1
