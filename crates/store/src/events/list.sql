-- events::list
-- Newest first; the cursor is the key of the last row of the page before. At most one of tool, member, session and
-- outcome is given, and the index of that one is scanned; it is planned with the actual values. Combinations are read
-- by events::by_day.
select
    e.uuid, m.handle, e.tool_id, e.operation, e.session_id, e.project, e.task_text, e.outcome::text, e.reason::text,
    e.duration_ms, e.cost_micro_usd, e.model, e.agent, e.agent_version, e.git_branch, e.occurred_at, e.received_at,
    e.source::text, e.member_id
from usage_events e
join members m on m.org_id = e.org_id and m.member_id = e.member_id
where e.org_id = $1
    and ($2::text is null or e.tool_id = $2)
    and ($3::bigint is null or e.member_id = $3)
    and ($4::text is null or e.session_id = $4)
    and ($5::text is null or e.project = $5)
    -- Written out, so that the planner knows the value and with it the index of what did not succeed.
    and (
        $6::text is null
        or e.outcome = case $6
            when 'success' then 'success'::event_outcome
            when 'failure' then 'failure'::event_outcome
            when 'abandoned' then 'abandoned'::event_outcome
            else 'unknown'::event_outcome
        end
    )
    and ($7::timestamptz is null or e.occurred_at >= $7)
    and ($8::timestamptz is null or e.occurred_at < $8)
    and (
        $9::timestamptz is null
        or (e.occurred_at <= $9 and (e.occurred_at, e.member_id, e.uuid) < ($9, $10::bigint, $11::text))
    )
order by e.occurred_at desc, e.member_id desc, e.uuid desc
limit $12
