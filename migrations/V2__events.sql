-- What was called: the catalogue of tools, the events, and the receipts of the uploads that brought them.

create table tools (
    org_id bigint not null,
    tool_id text collate "C" not null,
    kind text collate "C" not null,
    first_seen_at timestamptz not null,
    constraint tools_pkey primary key (org_id, tool_id),
    constraint tools_org_fkey foreign key (org_id) references orgs (org_id)
);

create table uploads (
    org_id bigint not null,
    upload_id uuid not null,
    member_id bigint not null,
    received_at timestamptz not null,
    source text not null,
    client text,
    ci jsonb,
    batch text not null,
    received integer not null,
    inserted integer not null,
    upgraded integer not null,
    duplicate integer not null,
    conflict integer not null,
    rejected integer not null,
    constraint uploads_pkey primary key (org_id, upload_id),
    constraint uploads_member_fkey foreign key (org_id, member_id) references members (org_id, member_id),
    constraint uploads_sum_check check (inserted + upgraded + duplicate + conflict + rejected = received)
);

create index uploads_received_idx on uploads (org_id, received_at);

create type event_outcome as enum ('success', 'failure', 'abandoned', 'unknown');

create type event_reason as enum (
    'error', 'invalid_input', 'unknown_tool', 'rejected', 'interrupted', 'cancelled', 'denied', 'unanswered'
);

create type event_source as enum ('jsonl', 'otlp', 'api');

-- The primary key is the dedupe constraint: one row per call that a member's agent made, however often it is sent.
-- uuid is the agent's own id of the call (toolu_…, call_…), 30 bytes in practice, 128 at most; in the "C" collation,
-- because it is compared and never shown in order.
--
-- There is no foreign key to tools or members: ingest writes the tool in the same transaction and has the member from
-- the token, and a key would cost each row two more index probes. Deleting a member deletes its events by statement.
--
-- Columns of fixed width come first, so that no padding stands between them.
create table usage_events (
    org_id bigint not null,
    member_id bigint not null,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    duration_ms bigint,
    cost_micro_usd bigint,
    outcome event_outcome not null,
    reason event_reason,
    source event_source not null,
    upload_id uuid not null,
    uuid text collate "C" not null,
    tool_id text collate "C" not null,
    operation text collate "C",
    session_id text collate "C",
    project text collate "C",
    model text collate "C",
    agent text collate "C",
    agent_version text collate "C",
    git_branch text collate "C",
    task_text text,
    constraint usage_events_pkey primary key (org_id, member_id, uuid),
    constraint usage_events_uuid_check check (octet_length(uuid) between 1 and 128),
    constraint usage_events_duration_check check (duration_ms >= 0),
    constraint usage_events_cost_check check (cost_micro_usd >= 0)
) with (
    -- The scores are read from an index alone, which works only on pages that the visibility map knows; the default
    -- (vacuum after 20 % new rows) leaves it stale for days. Measured: 0.65 s against 5 s for a refresh.
    autovacuum_vacuum_insert_scale_factor = 0.01,
    autovacuum_vacuum_insert_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

-- Everything that tool_scores aggregates, in the order in which it groups and takes the median.
create index usage_events_scores_idx on usage_events (org_id, tool_id, duration_ms)
    include (member_id, outcome, cost_micro_usd, occurred_at);

-- Newest first, for everything and for one tool.
create index usage_events_recent_idx on usage_events (org_id, occurred_at);

create index usage_events_tool_recent_idx on usage_events (org_id, tool_id, occurred_at);

-- Where a verdict stands in the lattice (model::Verdict::rank): a stored one is replaced only by a higher one.
create function verdict_rank(outcome event_outcome, reason event_reason) returns integer
    language sql immutable parallel safe
    return case when outcome = 'unknown' then 0 when reason = 'unanswered' then 1 else 2 end;
