-- What the responses of models used, those that call no tool included: usage of sessions, not events.

-- One row for each response of a member. The key is a hash of the agent and its own id of the response. The member comes
-- last, so that the copies of other members are found by the key.
create table session_usage (
    org_id bigint not null,
    response_key uuid not null,
    member_id bigint not null,
    occurred_at timestamptz not null,
    cost_micro_usd bigint,
    input_tokens integer not null,
    output_tokens integer not null,
    cache_read_tokens integer not null,
    cache_write_tokens integer not null,
    -- Another member of the org had uploaded it before: the member's own figures count it, those of the org do not.
    already_counted boolean not null,
    -- The cost is the vendor's own figure.
    vendor_cost boolean not null,
    session_id text collate "C",
    project text collate "C",
    model text collate "C",
    constraint session_usage_pkey primary key (org_id, response_key, member_id),
    constraint session_usage_member_fkey foreign key (org_id, member_id) references members (org_id, member_id),
    constraint session_usage_tokens_check check (
        least(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens) >= 0
    ),
    constraint session_usage_cost_check check (cost_micro_usd >= 0)
);

-- What a member uploaded, for deletions and exports.
create index session_usage_member_idx on session_usage (org_id, member_id, occurred_at);

create index session_usage_already_counted_idx on session_usage (org_id, response_key) where already_counted;

alter table session_usage enable row level security;

-- The same by day, kept by the transactions that write session_usage. An empty model or project is none.
create table session_usage_days (
    org_id bigint not null,
    member_id bigint not null,
    day date not null,
    already_counted boolean not null,
    responses bigint not null,
    costed bigint not null,
    cost_micro_usd bigint not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cache_read_tokens bigint not null,
    cache_write_tokens bigint not null,
    model text collate "C" not null,
    project text collate "C" not null,
    constraint session_usage_days_pkey primary key (org_id, member_id, day, model, project, already_counted),
    constraint session_usage_days_member_fkey foreign key (org_id, member_id) references members (org_id, member_id)
) with (fillfactor = 70);

create index session_usage_days_day_idx on session_usage_days (org_id, day);

create index session_usage_days_project_idx on session_usage_days (org_id, project, day);

alter table session_usage_days enable row level security;
