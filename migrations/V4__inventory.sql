-- What was loaded and what is installed: the denominator of dead weight.

-- A tool that a session had in its context, and how many bytes its listing cost there. A later upload of the same
-- session may know more records, so bytes only rise; sending the same inventory again changes nothing.
create table session_tools (
    org_id bigint not null,
    member_id bigint not null,
    session_id text collate "C" not null,
    tool_id text collate "C" not null,
    context_bytes bigint not null,
    project text collate "C",
    observed_at timestamptz not null,
    constraint session_tools_pkey primary key (org_id, member_id, session_id, tool_id),
    constraint session_tools_member_fkey foreign key (org_id, member_id) references members (org_id, member_id),
    constraint session_tools_bytes_check check (context_bytes >= 0)
);

create index session_tools_tool_idx on session_tools (org_id, tool_id, observed_at)
    include (member_id, session_id, context_bytes);

-- A tool that a member has installed on a machine. What a later look no longer sees is deleted.
create table machine_tools (
    org_id bigint not null,
    member_id bigint not null,
    machine_id text collate "C" not null,
    tool_id text collate "C" not null,
    description text,
    source text,
    observed_at timestamptz not null,
    constraint machine_tools_pkey primary key (org_id, member_id, machine_id, tool_id),
    constraint machine_tools_member_fkey foreign key (org_id, member_id) references members (org_id, member_id)
);

create index machine_tools_tool_idx on machine_tools (org_id, tool_id) include (member_id);
