-- leaderboards::read_scope
-- The day on which the windows end, whether names are shown, and the id of the requested member.
select
    r.today,
    o.show_names,
    (select m.member_id from members m where m.org_id = o.org_id and m.handle = $2) as member_id
from orgs o, score_refresh r
where o.org_id = $1 and r.view_name = 'board_scores'
