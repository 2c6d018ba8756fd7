-- derived::queue::everything
-- Every day of every subject of an org, to count all of it anew.
insert into pending_changes (org_id, change_id, board, subject, day)
select $1::bigint, $2::uuid, s.board, s.subject, d.day
from usage_days d
cross join board_subjects(d.tool_id, d.member_id, d.project, d.already_counted) s
where d.org_id = $1
union
select $1, $2, board, subject, day
from board_days
where org_id = $1
union
select $1, $2, 'loaded', tool_id, (observed_at at time zone 'UTC')::date
from session_tools
where org_id = $1
union
select $1, $2, 'loaded', tool_id, day
from loaded_days
where org_id = $1
