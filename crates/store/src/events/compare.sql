-- events::compare
-- Of the events that were known already: which are stored with another tool, and which know more than the stored one.
-- Locks nothing, so that a replay costs only a read.
select
    b.ordinal::bigint as ordinal,
    e.tool_id <> b.tool_id as conflict
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[],
    $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[]
) with ordinality as b (
    member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd, operation, session_id,
    project, model, agent, agent_version, git_branch, task_text, ordinal
)
join usage_events e on e.org_id = $1 and e.member_id = b.member_id and e.uuid = b.uuid
where e.tool_id <> b.tool_id
    or verdict_rank(b.outcome::event_outcome, b.reason::event_reason) > verdict_rank(e.outcome, e.reason)
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
