-- ingest::insert
-- Sorted by the key, so that two batches that overlap never wait for each other in a circle.
-- org_id comes from tools and not from the parameter, so that a distributed database keeps the statement on one node.
insert into usage_events (
    org_id, member_id, occurred_at, received_at, duration_ms, cost_micro_usd, outcome, reason, source, upload_id,
    uuid, tool_id, operation, session_id, project, model, agent, agent_version, git_branch, task_text,
    already_counted, run_cost_micro_usd, telemetry
)
select
    t.org_id, b.member_id, b.occurred_at, $2::timestamptz, b.duration_ms, b.cost_micro_usd,
    b.outcome::event_outcome, b.reason::event_reason, b.source::event_source, b.upload_id,
    b.uuid, b.tool_id, b.operation, b.session_id, b.project, b.model, b.agent, b.agent_version, b.git_branch,
    b.task_text, b.already_counted, b.run_cost_micro_usd, b.telemetry
from unnest(
    $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::uuid[],
    $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
    $19::text[], $20::text[], $21::boolean[], $22::bigint[], $23::smallint[]
) as b (
    member_id, occurred_at, duration_ms, cost_micro_usd, outcome, reason, source, upload_id,
    uuid, tool_id, operation, session_id, project, model, agent, agent_version, git_branch,
    task_text, already_counted, run_cost_micro_usd, telemetry
)
join tools t on t.org_id = $1 and t.tool_id = b.tool_id
order by b.member_id, b.uuid
on conflict (org_id, member_id, uuid) do nothing
returning member_id, uuid
