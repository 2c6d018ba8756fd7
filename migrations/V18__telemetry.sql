-- OpenTelemetry: which facts of an event come from telemetry, and calls whose tool only the log names.

-- Bits, of model::Telemetry: 1 no log has reported the event, 2 its outcome, 4 its duration came as telemetry.
alter table usage_events add column telemetry smallint not null default 0;

alter table uploads add column unnamed integer not null default 0;
alter table uploads add column unkeyed integer not null default 0;

-- Calls of which the telemetry names no tool: MCP tools, skills and subagents without details. A row waits until the log
-- names the call, and then becomes a part of its event.
create table unnamed_calls (
    org_id bigint not null,
    member_id bigint not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    duration_ms bigint,
    outcome event_outcome not null,
    reason event_reason,
    uuid text collate "C" not null,
    session_id text collate "C",
    agent text collate "C",
    agent_version text collate "C",
    constraint unnamed_calls_pkey primary key (org_id, member_id, uuid),
    constraint unnamed_calls_member_fkey foreign key (org_id, member_id) references members (org_id, member_id),
    constraint unnamed_calls_uuid_check check (octet_length(uuid) between 1 and 128),
    constraint unnamed_calls_duration_check check (duration_ms >= 0)
);

alter table unnamed_calls enable row level security;

-- The merge rule of an event, with the facts that tell telemetry from a log: model::Event::merge. It replaces
-- merge_event, which stays for servers of the version before. The collations are those of usage_events: where the types
-- match exactly, the planner inlines the function.
create type event_report as (
    outcome event_outcome,
    reason event_reason,
    duration_ms bigint,
    cost_micro_usd bigint,
    operation text collate "C",
    session_id text collate "C",
    project text collate "C",
    model text collate "C",
    agent text collate "C",
    agent_version text collate "C",
    git_branch text collate "C",
    task_text text,
    occurred_at timestamptz,
    telemetry smallint
);

-- Whether a later verdict replaces the stored one: it has a higher rank; or the same, and the stored one came as telemetry
-- and the later one from a log; or both as telemetry, and the later one is further in the order success, failure,
-- abandoned, and within it of the reasons.
create function verdict_replaced(
    outcome event_outcome, reason event_reason, telemetry smallint,
    later_outcome event_outcome, later_reason event_reason, later_telemetry smallint
) returns boolean
    language sql immutable parallel safe
    return verdict_rank(later_outcome, later_reason) > verdict_rank(outcome, reason)
        or verdict_rank(later_outcome, later_reason) = verdict_rank(outcome, reason)
            and telemetry & 2 = 2
            and (
                later_telemetry & 2 = 0
                or later_outcome > outcome
                or later_outcome = outcome and later_reason is not null and (reason is null or later_reason > reason)
            );

create function merge_report(stored event_report, later event_report) returns event_report
    language sql immutable parallel safe
    return row(
        case
            when verdict_replaced(
                (stored).outcome, (stored).reason, (stored).telemetry,
                (later).outcome, (later).reason, (later).telemetry
            ) then (later).outcome
            else (stored).outcome
        end,
        case
            when verdict_replaced(
                (stored).outcome, (stored).reason, (stored).telemetry,
                (later).outcome, (later).reason, (later).telemetry
            ) then (later).reason
            else (stored).reason
        end,
        -- A duration that came as telemetry has no waiting in it.
        case
            when (later).telemetry & 4 = 4 and (stored).telemetry & 4 = 0 then (later).duration_ms
            else coalesce((stored).duration_ms, (later).duration_ms)
        end,
        greatest((stored).cost_micro_usd, (later).cost_micro_usd),
        case
            when (stored).telemetry & 1 > (later).telemetry & 1 then coalesce((later).operation, (stored).operation)
            else coalesce((stored).operation, (later).operation)
        end,
        case
            when (stored).telemetry & 1 > (later).telemetry & 1 then coalesce((later).session_id, (stored).session_id)
            else coalesce((stored).session_id, (later).session_id)
        end,
        coalesce((stored).project, (later).project),
        coalesce((stored).model, (later).model),
        case
            when (stored).telemetry & 1 > (later).telemetry & 1 then coalesce((later).agent, (stored).agent)
            else coalesce((stored).agent, (later).agent)
        end,
        case
            when (stored).telemetry & 1 > (later).telemetry & 1
                then coalesce((later).agent_version, (stored).agent_version)
            else coalesce((stored).agent_version, (later).agent_version)
        end,
        coalesce((stored).git_branch, (later).git_branch),
        coalesce((stored).task_text, (later).task_text),
        case
            when (stored).telemetry & 1 > (later).telemetry & 1 then (later).occurred_at
            else (stored).occurred_at
        end,
        (
            ((stored).telemetry & (later).telemetry & 1)
            | (
                case
                    when verdict_replaced(
                        (stored).outcome, (stored).reason, (stored).telemetry,
                        (later).outcome, (later).reason, (later).telemetry
                    ) then (later).telemetry
                    else (stored).telemetry
                end & 2
            )
            | (((stored).telemetry | (later).telemetry) & 4)
        )::smallint
    )::event_report;
