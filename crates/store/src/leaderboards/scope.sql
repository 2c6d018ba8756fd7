-- leaderboards::read_scope
-- The day on which the windows end, whether names are shown, and the id of the requested member.
select
    coalesce(s.today, (now() at time zone 'UTC')::date) as today,
    o.show_names,
    (select m.member_id from members m where m.org_id = $1 and m.handle = $2) as member_id
from orgs o
left join board_state s on s.org_id = o.org_id
where o.org_id = $1
