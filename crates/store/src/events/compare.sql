-- events::compare
-- Which of these events are not stored, which are stored as calls of another tool, and of which the stored one knows
-- less. Locks nothing, so that a replay costs only a read. Each is looked up by its key: without `offset 0` the planner
-- may read the whole table to join a batch with it.
select
    coalesce(array_agg(b.ordinal) filter (where e.uuid is null), '{}') as absent,
    coalesce(array_agg(b.ordinal) filter (where e.tool_id <> b.tool_id), '{}') as conflict,
    coalesce(array_agg(b.ordinal) filter (where e.tool_id = b.tool_id and (
        verdict_rank(b.outcome::event_outcome, b.reason::event_reason) > verdict_rank(e.outcome, e.reason)
        or b.cost_micro_usd > coalesce(e.cost_micro_usd, -1)
        or (e.duration_ms is null and b.duration_ms is not null)
        or (e.operation is null and b.operation is not null)
        or (e.session_id is null and b.session_id is not null)
        or (e.project is null and b.project is not null)
        or (e.model is null and b.model is not null)
        or (e.agent is null and b.agent is not null)
        or (e.agent_version is null and b.agent_version is not null)
        or (e.git_branch is null and b.git_branch is not null)
        or (e.task_text is null and b.task_text is not null)
    )), '{}') as weaker
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[]
) with ordinality as b (
    member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd, operation, session_id,
    project, model, agent, agent_version, git_branch, task_text, ordinal
)
left join lateral (
    select
        e.uuid, e.tool_id, e.outcome, e.reason, e.duration_ms, e.cost_micro_usd, e.operation, e.session_id, e.project,
        e.model, e.agent, e.agent_version, e.git_branch, e.task_text
    from usage_events e
    where e.org_id = $1 and e.member_id = b.member_id and e.uuid = b.uuid
    offset 0
) e on true
