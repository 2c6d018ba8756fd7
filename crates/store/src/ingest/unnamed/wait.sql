-- ingest::unnamed::wait
-- Of two reports of one call, the verdict of merge_report; the rest of the first. A statement may not change a row twice,
-- so reports of the same call in one transaction are merged first: the one with the furthest verdict stays.
insert into unnamed_calls (
    org_id, received_at, member_id, uuid, occurred_at, duration_ms, outcome, reason, session_id, agent, agent_version
)
select distinct on (b.member_id, b.uuid)
    $1::bigint, $2::timestamptz, b.member_id, b.uuid, b.occurred_at,
    first_value(b.duration_ms) over (
        partition by b.member_id, b.uuid order by b.duration_ms nulls last
    ),
    b.outcome::event_outcome, b.reason::event_reason, b.session_id, b.agent, b.agent_version
from unnest(
    $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::text[]
) as b (member_id, uuid, occurred_at, duration_ms, outcome, reason, session_id, agent, agent_version)
order by
    b.member_id, b.uuid, verdict_rank(b.outcome::event_outcome, b.reason::event_reason) desc,
    b.outcome::event_outcome desc, b.reason::event_reason desc nulls last
on conflict (org_id, member_id, uuid) do update
set
    duration_ms = coalesce(unnamed_calls.duration_ms, excluded.duration_ms),
    outcome = case
        when verdict_replaced(
            unnamed_calls.outcome, unnamed_calls.reason, 2::smallint, excluded.outcome, excluded.reason, 2::smallint
        ) then excluded.outcome
        else unnamed_calls.outcome
    end,
    reason = case
        when verdict_replaced(
            unnamed_calls.outcome, unnamed_calls.reason, 2::smallint, excluded.outcome, excluded.reason, 2::smallint
        ) then excluded.reason
        else unnamed_calls.reason
    end,
    session_id = coalesce(unnamed_calls.session_id, excluded.session_id)
