-- derived::queue::remove_events
-- What the boards lose when the events of a member up to day $4 are deleted, queued before they are.
insert into pending_changes (org_id, change_id, board, subject, day, removed)
select $1, $2, 'tools', e.tool_id, (e.occurred_at at time zone 'UTC')::date,
    array_agg(e.duration_ms) filter (where e.duration_ms is not null)
from usage_events e
where e.org_id = $1 and e.member_id = $3 and not e.already_counted
    and ($4::date is null or e.occurred_at < ($4::date + 1)::timestamp at time zone 'UTC')
group by 4, 5
union all
select distinct $1, $2::uuid, s.board, s.subject, d.day, null::bigint[]
from usage_days d
cross join board_subjects(d.tool_id, d.member_id, d.project, d.already_counted) s
where d.org_id = $1 and d.member_id = $3 and ($4::date is null or d.day <= $4::date) and s.board <> 'tools'
