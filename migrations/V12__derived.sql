-- Boards that are maintained and no longer recomputed: their refresh costs what has changed, not what is stored.
--
-- A change names the days of tools, members, projects and loaded tools that it touched. A refresh counts those days
-- again from usage_days, and the boards of those subjects from their days. The medians of tools follow the durations
-- that came and went. Members and projects have no median: it would mix a shell command with an hour's agent.

-- The lengths of the windows in days; 0 is everything. Another window is one more row.
create table board_windows (
    days integer not null,
    constraint board_windows_pkey primary key (days),
    constraint board_windows_days_check check (days >= 0)
);

insert into board_windows (days) values (7), (30), (90), (0);

-- Windows that end on a day: days after `before` are inside, and days after `previous_before` in the window before.
create function board_windows_on(today date, windows integer[])
returns table (days integer, before date, previous_before date)
language sql immutable parallel safe
as $$
    select
        w.days, case w.days when 0 then '-infinity' else today - w.days end,
        case w.days when 0 then '-infinity' else today - 2 * w.days end
    from unnest(windows) as w (days)
$$;

-- The subjects that a call counts for: its tool, its member, and its project if it has one.
create function board_subjects(tool_id text, member_id bigint, project text)
returns table (board text, subject text)
language sql immutable parallel safe
as $$
    select s.board, s.subject
    from (values ('tools', tool_id), ('members', member_id::text), ('projects', nullif(project, '')))
        as s (board, subject)
    where s.subject is not null
$$;

-- What the boards lack. Written in the transaction of each change, deleted by the refresh that counts it. subject is a
-- tool, a project, or the number of a member; board is also 'loaded', for tools that sessions had loaded. added and
-- removed are the durations, in ms, that a tool got or lost on that day.
create table pending_changes (
    org_id bigint not null,
    change_id uuid not null,
    day date not null,
    board text collate "C" not null,
    subject text collate "C" not null,
    added bigint[],
    removed bigint[],
    constraint pending_changes_pkey primary key (org_id, change_id, board, subject, day)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- The days of each subject of a board, added up over the rest of the key of usage_days. Of a member or project, the
-- calls of the agent's built-in tools stand apart, because boards can leave them out.
create table board_days (
    org_id bigint not null,
    day date not null,
    builtin boolean not null,
    events bigint not null,
    successes bigint not null,
    failures bigint not null,
    abandoned bigint not null,
    unknown bigint not null,
    unknown_tool bigint not null,
    costed bigint not null,
    cost_micro_usd bigint not null,
    first_used_at timestamptz not null,
    last_used_at timestamptz not null,
    board text collate "C" not null,
    subject text collate "C" not null,
    constraint board_days_pkey primary key (org_id, board, subject, day, builtin)
) with (fillfactor = 80);

-- The median of a tool in a window, and where it was found: of the timed durations, below are less than pivot_ms, and
-- level are equal to it. When durations come or go the counts say how far the median has moved, and it is found by so
-- many steps through the index from the pivot.
create table tool_medians (
    org_id bigint not null,
    days integer not null,
    timed bigint not null,
    below bigint not null,
    level bigint not null,
    pivot_ms bigint not null,
    median_duration_ms double precision,
    tool_id text collate "C" not null,
    constraint tool_medians_pkey primary key (org_id, tool_id, days)
) with (fillfactor = 50);

-- The durations of each tool in order, with their times, for steps within a window.
create index usage_events_durations_idx on usage_events (org_id, tool_id, duration_ms, occurred_at)
    where duration_ms is not null;

drop index usage_events_scores_idx;

-- These no longer serve medians.
drop index usage_events_tool_recent_idx;
create index usage_events_tool_recent_idx on usage_events (org_id, tool_id, occurred_at);
drop index usage_events_member_idx;
create index usage_events_member_idx on usage_events (org_id, member_id, occurred_at);

-- Who used a tool or worked on a project since a day: one row for each member, tool and project. The last use is not
-- in the index, so that an upload updates rows in place.
create index usage_totals_tool_idx on usage_totals (org_id, tool_id);
create index usage_totals_project_idx on usage_totals (org_id, project);

-- The boards: one row per org, board, window and subject. builtins: whether the agent's built-in tools count. days = 0
-- is the window without a beginning.
alter materialized view board_scores rename to computed_board_scores;
alter index board_scores_key rename to computed_board_scores_key;

create table board_scores (
    org_id bigint not null,
    days integer not null,
    builtins boolean not null,
    board text collate "C" not null,
    subject text collate "C" not null,
    tools bigint not null,
    events bigint not null,
    successes bigint not null,
    failures bigint not null,
    abandoned bigint not null,
    unknown bigint not null,
    unknown_tool bigint not null,
    success_rate double precision,
    decided_rate double precision,
    wilson_low double precision,
    avg_cost_usd double precision,
    median_duration_ms double precision,
    members bigint not null,
    first_used_at timestamptz not null,
    last_used_at timestamptz not null,
    previous_events bigint not null,
    previous_decided_rate double precision,
    previous_wilson_low double precision,
    constraint board_scores_pkey primary key (org_id, board, days, builtins, subject)
) with (
    -- A refresh updates rows in place: no indexed column changes.
    fillfactor = 60
);

-- Served until the first refresh has counted everything anew.
insert into board_scores (
    org_id, days, builtins, board, subject, tools, events, successes, failures, abandoned, unknown, unknown_tool,
    success_rate, decided_rate, wilson_low, avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at,
    previous_events, previous_decided_rate, previous_wilson_low
)
select
    org_id, days, builtins, board, subject, tools, events, successes, failures, abandoned, unknown, unknown_tool,
    success_rate, decided_rate, wilson_low, avg_cost_usd,
    case when board = 'tools' then median_duration_ms end, members, first_used_at, last_used_at,
    previous_events, previous_decided_rate, previous_wilson_low
from computed_board_scores;

drop materialized view computed_board_scores;

-- In how many sessions of a window a tool was loaded: the denominator of dead weight.
alter materialized view loaded_tools rename to computed_loaded_tools;
alter index loaded_tools_key rename to computed_loaded_tools_key;

create table loaded_tools (
    org_id bigint not null,
    days integer not null,
    tool_id text collate "C" not null,
    sessions bigint not null,
    members bigint not null,
    context_bytes bigint not null,
    first_loaded_at timestamptz not null,
    constraint loaded_tools_pkey primary key (org_id, days, tool_id)
) with (fillfactor = 60);

insert into loaded_tools (org_id, days, tool_id, sessions, members, context_bytes, first_loaded_at)
select org_id, days, tool_id, sessions, members, context_bytes, first_loaded_at
from computed_loaded_tools;

drop materialized view computed_loaded_tools;

-- The days of each loaded tool.
create table loaded_days (
    org_id bigint not null,
    day date not null,
    sessions bigint not null,
    context_bytes bigint not null,
    first_loaded_at timestamptz not null,
    tool_id text collate "C" not null,
    constraint loaded_days_pkey primary key (org_id, tool_id, day)
) with (fillfactor = 80);

-- When a member last had a tool loaded. Written with the inventory, so that two members never touch the same row.
create table loaded_members (
    org_id bigint not null,
    member_id bigint not null,
    last_loaded_at timestamptz not null,
    tool_id text collate "C" not null,
    constraint loaded_members_pkey primary key (org_id, member_id, tool_id),
    constraint loaded_members_member_fkey foreign key (org_id, member_id) references members (org_id, member_id)
) with (fillfactor = 70);

create index loaded_members_tool_idx on loaded_members (org_id, tool_id);

insert into loaded_members (org_id, member_id, last_loaded_at, tool_id)
select org_id, member_id, max(observed_at), tool_id
from session_tools
group by org_id, member_id, tool_id;

-- How fresh the boards of an org are. today: the UTC day on which their windows end. windows: those that they have.
create table board_state (
    org_id bigint not null,
    today date not null,
    windows integer[] not null,
    as_of timestamptz,
    last_error text,
    last_error_at timestamptz,
    constraint board_state_pkey primary key (org_id),
    constraint board_state_org_fkey foreign key (org_id) references orgs (org_id)
) with (fillfactor = 50);

-- With no windows, so that the first refresh counts every subject anew. That also covers the uploads that
-- pending_scores named.
insert into board_state (org_id, today, windows, as_of)
select o.org_id, coalesce(r.today, (now() at time zone 'UTC')::date), '{}', r.started_at
from orgs o
cross join (select today, started_at from score_refresh where view_name = 'board_scores') r;

insert into pending_changes (org_id, change_id, day, board, subject)
select distinct d.org_id, '00000000-0000-0000-0000-000000000000'::uuid, d.day, s.board, s.subject
from usage_days d
cross join board_subjects(d.tool_id, d.member_id, d.project) s;

insert into pending_changes (org_id, change_id, day, board, subject)
select distinct
    org_id, '00000000-0000-0000-0000-000000000000'::uuid, (observed_at at time zone 'UTC')::date, 'loaded', tool_id
from session_tools;

drop table pending_scores;

alter table score_refresh drop column today, drop column news_at;

alter table pending_changes enable row level security;
alter table board_days enable row level security;
alter table tool_medians enable row level security;
alter table board_scores enable row level security;
alter table loaded_tools enable row level security;
alter table loaded_days enable row level security;
alter table loaded_members enable row level security;
alter table board_state enable row level security;
