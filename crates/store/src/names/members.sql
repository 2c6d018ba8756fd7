-- names::candidates (members)
-- The handle $2 if the org has it, its neighbors in the order of handles, and the first ones. Others than the handle
-- itself are left out where the org hides names, and where the member hides from boards, unless $3.
select c.handle as name
from (
    (select m.* from members m where m.org_id = $1 and m.handle >= $2 order by m.handle limit 200)
    union
    (select m.* from members m where m.org_id = $1 and m.handle < $2 order by m.handle desc limit 200)
    union
    (select m.* from members m where m.org_id = $1 order by m.handle limit 2000)
) c
join orgs o on o.org_id = $1
where c.handle = $2 or $3::boolean or (o.show_names and not c.board_opt_out)
