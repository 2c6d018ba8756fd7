-- What an org has decided about its tools: keep, retire or watch. The decision that holds is the one without an end; earlier
-- ones stay, as the history.
create table tool_decisions (
    org_id bigint not null,
    decided_at timestamptz not null,
    ended_at timestamptz,
    until date,
    decision_id uuid not null,
    tool_id text collate "C" not null,
    decision text collate "C" not null,
    note text,
    owner text collate "C",
    decided_by text collate "C" not null,
    constraint tool_decisions_pkey primary key (org_id, decision_id),
    constraint tool_decisions_tool_fkey foreign key (org_id, tool_id) references tools (org_id, tool_id),
    constraint tool_decisions_decision_check check (decision in ('keep', 'retire', 'watch'))
);

create unique index tool_decisions_current_key on tool_decisions (org_id, tool_id) where ended_at is null;

alter table tool_decisions enable row level security;
