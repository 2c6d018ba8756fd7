-- derived::queue::remove_loaded
-- What dead weight loses when the sessions of a member are deleted, queued before they are.
insert into pending_changes (org_id, change_id, board, subject, day)
select distinct $1::bigint, $2::uuid, 'loaded', tool_id, (observed_at at time zone 'UTC')::date
from session_tools
where org_id = $1 and member_id = $3
