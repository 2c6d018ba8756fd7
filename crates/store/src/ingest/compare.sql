-- ingest::compare
-- Which of these events are not stored, which are stored as calls of another tool, and which would change the stored
-- event. Locks nothing, so that a replay costs only a read.
-- Each is looked up by its key, written as a range in the order of the key: only the primary key has that order, so the
-- planner uses it whatever the statistics are. For `uuid = b.uuid` it may estimate that an org, or a member, without
-- statistics has one event, and read all of them through a smaller index.
select
    coalesce(array_agg(b.ordinal) filter (where e.uuid is null), '{}') as absent,
    coalesce(array_agg(b.ordinal) filter (where e.tool_id <> b.tool_id), '{}') as conflict,
    coalesce(array_agg(b.ordinal) filter (where e.tool_id = b.tool_id and (
        m.outcome, m.reason, m.duration_ms, m.cost_micro_usd, m.operation, m.session_id, m.project, m.model, m.agent,
        m.agent_version, m.git_branch, m.task_text, m.occurred_at, m.telemetry
    ) is distinct from (
        e.outcome, e.reason, e.duration_ms, e.cost_micro_usd, e.operation, e.session_id, e.project, e.model, e.agent,
        e.agent_version, e.git_branch, e.task_text, e.occurred_at, e.telemetry
    ) or e.tool_id = b.tool_id and b.run_cost_micro_usd > coalesce(e.run_cost_micro_usd, -1)), '{}') as outdated
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
    $9::text[] collate "C", $10::text[] collate "C", $11::text[] collate "C", $12::text[] collate "C",
    $13::text[] collate "C", $14::text[] collate "C", $15::text[] collate "C", $16::text[],
    $17::bigint[], $18::timestamptz[], $19::smallint[]
) with ordinality as b (
    member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd, operation, session_id,
    project, model, agent, agent_version, git_branch, task_text, run_cost_micro_usd, occurred_at,
    telemetry, ordinal
)
left join lateral (
    select
        e.uuid, e.tool_id, e.outcome, e.reason, e.duration_ms, e.cost_micro_usd, e.operation, e.session_id, e.project,
        e.model, e.agent, e.agent_version, e.git_branch, e.task_text, e.run_cost_micro_usd, e.occurred_at, e.telemetry
    from usage_events e
    where e.org_id = $1 and e.member_id = b.member_id and e.uuid >= b.uuid and e.uuid <= b.uuid
    order by e.uuid
    limit 1
) e on true
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
