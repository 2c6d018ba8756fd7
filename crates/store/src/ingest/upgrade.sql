-- ingest::upgrade
-- Upgrades stored events about which a later upload has more facts. A second statement and not part of the insert,
-- because only a new snapshot sees what a concurrent upload has committed meanwhile; the rows are locked in the order of
-- the key and merged as they are under the lock. Returns the values before and after, for the rollup.
with merged as materialized (
    select
        e.member_id, e.uuid,
        e.outcome as old_outcome, e.reason as old_reason, e.cost_micro_usd as old_cost_micro_usd,
        e.duration_ms as old_duration_ms, e.project as old_project, e.occurred_at as old_occurred_at,
        e.already_counted,
        e.run_cost_micro_usd as old_run_cost_micro_usd,
        greatest(e.run_cost_micro_usd, b.run_cost_micro_usd) as run_cost_micro_usd,
        m.*
    from unnest(
        $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
        $9::text[] collate "C", $10::text[] collate "C", $11::text[] collate "C", $12::text[] collate "C",
        $13::text[] collate "C", $14::text[] collate "C", $15::text[] collate "C", $16::text[],
        $17::bigint[], $18::timestamptz[], $19::smallint[]
    ) as b (
        member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd, operation, session_id,
        project, model, agent, agent_version, git_branch, task_text, run_cost_micro_usd,
        occurred_at, telemetry
    )
    -- As in ingest/compare.sql. The rows of the batch are sorted by the key.
    cross join lateral (
        select *
        from usage_events e
        where e.org_id = $1 and e.member_id = b.member_id and e.uuid >= b.uuid and e.uuid <= b.uuid
        order by e.uuid
        limit 1
        for update
    ) e
    cross join lateral (
        select (merge_report(
            row(
                e.outcome, e.reason, e.duration_ms, e.cost_micro_usd, e.operation, e.session_id, e.project, e.model,
                e.agent, e.agent_version, e.git_branch, e.task_text, e.occurred_at, e.telemetry
            )::event_report,
            row(
                b.outcome::event_outcome, b.reason::event_reason, b.duration_ms, b.cost_micro_usd, b.operation,
                b.session_id, b.project, b.model, b.agent, b.agent_version, b.git_branch, b.task_text,
                b.occurred_at, b.telemetry
            )::event_report
        )).*
    ) m
    where e.tool_id = b.tool_id
)
update usage_events e
set
    outcome = m.outcome, reason = m.reason, duration_ms = m.duration_ms, cost_micro_usd = m.cost_micro_usd,
    operation = m.operation, session_id = m.session_id, project = m.project, model = m.model, agent = m.agent,
    agent_version = m.agent_version, git_branch = m.git_branch, task_text = m.task_text,
    run_cost_micro_usd = m.run_cost_micro_usd, occurred_at = m.occurred_at, telemetry = m.telemetry
from merged m
-- The key as a range again: an equality could be joined by reading the whole org.
where e.org_id = $1
    and (e.member_id, e.uuid) >= (m.member_id, m.uuid) and (e.member_id, e.uuid) <= (m.member_id, m.uuid)
    and (
        e.outcome, e.reason, e.duration_ms, e.cost_micro_usd, e.operation, e.session_id, e.project, e.model, e.agent,
        e.agent_version, e.git_branch, e.task_text, e.run_cost_micro_usd, e.occurred_at, e.telemetry
    ) is distinct from (
        m.outcome, m.reason, m.duration_ms, m.cost_micro_usd, m.operation, m.session_id, m.project, m.model, m.agent,
        m.agent_version, m.git_branch, m.task_text, m.run_cost_micro_usd, m.occurred_at, m.telemetry
    )
returning
    e.member_id, e.uuid, e.tool_id, e.occurred_at, e.already_counted,
    m.old_outcome::text, m.old_reason::text, m.old_cost_micro_usd, m.old_duration_ms, m.old_project,
    m.old_occurred_at, m.old_run_cost_micro_usd, e.run_cost_micro_usd,
    e.outcome::text, e.reason::text, e.cost_micro_usd, e.duration_ms, e.project
