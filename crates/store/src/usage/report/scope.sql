-- usage::report::usage (scope)
-- The moment and the day of the request, whether names are shown, and the id of the requested member.
select
    now() as as_of,
    (now() at time zone 'UTC')::date as today,
    o.show_names,
    (select m.member_id from members m where m.org_id = $1 and m.handle = $2) as member_id
from orgs o
where o.org_id = $1
