-- events::list (by day)
-- Newest first, for a project or for a combination of tool, member, project and outcome. The rollup names the days and
-- members that have such events; their events are read day by day, the newest day first, until the page is full.
with days as (
    select d.day, d.member_id
    from usage_days d
    where d.org_id = $1
        and ($2::text is null or d.tool_id = $2)
        and ($3::bigint is null or d.member_id = $3)
        and ($5::text is null or d.project = $5)
        and case $6::text
            when 'success' then d.successes > 0 when 'failure' then d.failures > 0
            when 'abandoned' then d.abandoned > 0 when 'unknown' then d.unknown > 0 else true
        end
        and ($7::timestamptz is null or d.day >= ($7 at time zone 'UTC')::date)
        and ($8::timestamptz is null or d.day <= ($8 at time zone 'UTC')::date)
        and ($9::timestamptz is null or d.day <= ($9 at time zone 'UTC')::date)
    group by d.day, d.member_id
    order by d.day desc
)
select
    e.uuid, m.handle, e.tool_id, e.operation, e.session_id, e.project, e.task_text, e.outcome::text, e.reason::text,
    e.duration_ms, e.cost_micro_usd, e.run_cost_micro_usd, e.model, e.agent, e.agent_version, e.git_branch, e.occurred_at, e.received_at,
    e.source::text, e.already_counted, e.member_id
from days
cross join lateral (
    select *
    from usage_events e
    where e.org_id = $1
        and e.member_id = days.member_id
        and e.occurred_at >= days.day::timestamp at time zone 'UTC'
        and e.occurred_at < (days.day + 1)::timestamp at time zone 'UTC'
        and ($2::text is null or e.tool_id = $2)
        and ($4::text is null or e.session_id = $4)
        and ($5::text is null or e.project = $5)
        and ($6::text is null or e.outcome = $6::event_outcome)
        and ($7::timestamptz is null or e.occurred_at >= $7)
        and ($8::timestamptz is null or e.occurred_at < $8)
        and ($9::timestamptz is null
            or (e.occurred_at <= $9 and (e.occurred_at, e.member_id, e.uuid) < ($9, $10::bigint, $11::text))
        )
    offset 0
) e
join members m on m.org_id = $1 and m.member_id = days.member_id
order by days.day desc, e.occurred_at desc, e.member_id desc, e.uuid desc
limit $12
