-- events::upgrade
-- Raises stored events about which a later upload knows more: model::Event::merge, as a statement. A second statement
-- and not part of the insert, because only a new snapshot sees what a concurrent upload has committed meanwhile; the
-- rows are locked in the order of the key and compared again under the lock. Answers what was and what is, for the
-- rollup.
with weaker as materialized (
    select
        e.member_id, e.uuid,
        e.outcome as old_outcome, e.reason as old_reason, e.cost_micro_usd as old_cost_micro_usd,
        e.duration_ms is not null as was_timed, e.project as old_project,
        verdict_rank(b.outcome::event_outcome, b.reason::event_reason) > verdict_rank(e.outcome, e.reason) as rises,
        b.outcome::event_outcome as outcome, b.reason::event_reason as reason, b.duration_ms, b.cost_micro_usd,
        b.operation, b.session_id, b.project, b.model, b.agent, b.agent_version, b.git_branch, b.task_text
    from unnest(
        $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::text[],
        $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[]
    ) as b (
        member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd, operation, session_id,
        project, model, agent, agent_version, git_branch, task_text
    )
    join usage_events e on e.org_id = $1 and e.member_id = b.member_id and e.uuid = b.uuid
    where e.tool_id = b.tool_id
        and (
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
        )
    order by e.member_id, e.uuid
    for update of e
)
update usage_events e
set
    outcome = case when w.rises then w.outcome else e.outcome end,
    reason = case when w.rises then w.reason else e.reason end,
    duration_ms = coalesce(e.duration_ms, w.duration_ms),
    cost_micro_usd = greatest(e.cost_micro_usd, w.cost_micro_usd),
    operation = coalesce(e.operation, w.operation),
    session_id = coalesce(e.session_id, w.session_id),
    project = coalesce(e.project, w.project),
    model = coalesce(e.model, w.model),
    agent = coalesce(e.agent, w.agent),
    agent_version = coalesce(e.agent_version, w.agent_version),
    git_branch = coalesce(e.git_branch, w.git_branch),
    task_text = coalesce(e.task_text, w.task_text)
from weaker w
where e.org_id = $1 and e.member_id = w.member_id and e.uuid = w.uuid
returning
    e.member_id, e.uuid, e.tool_id, e.occurred_at,
    w.old_outcome::text, w.old_reason::text, w.old_cost_micro_usd, w.was_timed, w.old_project,
    e.outcome::text, e.reason::text, e.cost_micro_usd, e.duration_ms is not null, e.project
