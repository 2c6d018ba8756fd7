-- policy::read
-- The weakest lock that a deletion of the member's data has to wait for, taken in the order of the key.
select m.member_id, m.events_before, o.retention_days, o.task_text_allowed
from members m
join orgs o on o.org_id = m.org_id
where m.org_id = $1 and m.member_id = any($2)
order by m.member_id
for key share of m
