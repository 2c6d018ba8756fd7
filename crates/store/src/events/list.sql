-- events::list
-- Newest first; the cursor is the key of the last row of the page before. At most one of tool, member, session and
-- outcome is given, and the index of that one is scanned. Combinations are read by events::by_day. Filters that are not
-- given are left out, and the outcome is written out: the index of what did not succeed is for some only. The members
-- are joined to the page and not to all events. The place after the cursor is not compared as one row: the index of
-- members would look cheaper than it is.
select
    e.uuid, m.handle, e.tool_id, e.operation, e.session_id, e.project, e.task_text, e.outcome::text, e.reason::text,
    e.duration_ms, e.cost_micro_usd, e.run_cost_micro_usd, e.model, e.agent, e.agent_version, e.git_branch, e.occurred_at, e.received_at,
    e.source::text, e.already_counted, e.member_id
from (
    select *
    from usage_events e
    where e.org_id = $1
        and ($2::text is null or e.tool_id = $2)
        and ($3::bigint is null or e.member_id = $3)
        and ($4::text is null or e.session_id = $4)
        and ($5::text is null or e.project = $5)
        and ($6::text is null or e.outcome = $6::event_outcome)
        and ($7::timestamptz is null or e.occurred_at >= $7)
        and ($8::timestamptz is null or e.occurred_at < $8)
        and ($9::timestamptz is null
            or (e.occurred_at <= $9
                and (e.occurred_at < $9 or e.member_id < $10::bigint or (e.member_id = $10 and e.uuid < $11::text)))
        )
    order by e.occurred_at desc, e.member_id desc, e.uuid desc
    limit $12
) e
join members m on m.org_id = $1 and m.member_id = e.member_id
order by e.occurred_at desc, e.member_id desc, e.uuid desc
