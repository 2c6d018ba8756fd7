-- privacy::erase::lock_others
-- The members who have calls that the org counts for another, locked in the order of the key.
select m.member_id
from members m
where m.org_id = $1
    and m.member_id <> $2
    and m.member_id in (select d.member_id from usage_days d where d.org_id = $1 and d.already_counted)
order by m.member_id
for update
