-- derived::refresh::as_of
-- A refresh counts every org that had something pending when it began, so that it is also the time of those that had
-- nothing; but not of an org whose own refresh failed.
select case when s.last_error is null then greatest(r.started_at, s.as_of) else s.as_of end
from score_refresh r
left join board_state s on s.org_id = $1
where r.view_name = 'board_scores'
