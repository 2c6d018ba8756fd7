-- Windows of days: the daily rollup, and whose name a board may show.

-- What a member called on a day: one row per member, UTC day, tool and project, written in the transaction of the
-- ingest. The member stands before the day, so that two members never wait for each other's row. project is '' for
-- events without one, because a key cannot hold null; an event's own project is never empty.
--
-- Counts fit an integer: nobody makes two thousand million calls a day. No check forbids negative counts, because an
-- insert that meets its row carries a difference.
create table usage_days (
    org_id bigint not null,
    member_id bigint not null,
    day date not null,
    events integer not null,
    successes integer not null,
    failures integer not null,
    abandoned integer not null,
    unknown integer not null,
    unknown_tool integer not null,
    costed integer not null,
    cost_micro_usd bigint not null,
    first_used_at timestamptz not null,
    last_used_at timestamptz not null,
    tool_id text collate "C" not null,
    project text collate "C" not null,
    constraint usage_days_pkey primary key (org_id, member_id, day, tool_id, project)
) with (
    -- A day's row is updated by each upload of that day: room on its page keeps the indexes out of it.
    fillfactor = 80,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

insert into usage_days (
    org_id, member_id, day, tool_id, project, events, successes, failures, abandoned, unknown, unknown_tool, costed,
    cost_micro_usd, first_used_at, last_used_at
)
select
    org_id, member_id, (occurred_at at time zone 'UTC')::date, tool_id, coalesce(project, ''), count(*),
    count(*) filter (where outcome = 'success'), count(*) filter (where outcome = 'failure'),
    count(*) filter (where outcome = 'abandoned'), count(*) filter (where outcome = 'unknown'),
    count(*) filter (where reason = 'unknown_tool'), count(cost_micro_usd),
    coalesce(sum(cost_micro_usd), 0)::bigint, min(occurred_at), max(occurred_at)
from usage_events
group by 1, 2, 3, 4, 5;

-- The days of one tool and of one project, for what is asked of them alone. Rows are updated in place (no indexed
-- column changes), so these cost only the first event of a day.
create index usage_days_tool_idx on usage_days (org_id, tool_id, day);

create index usage_days_project_idx on usage_days (org_id, project, day);

-- Newest first for one member; also for whatever the rollup names by member and day, which is every combination of
-- tool, member and project. It also holds what the medians of the board of members need: read from the heap in this
-- order, ten million events took six times as long.
create index usage_events_member_idx on usage_events (org_id, member_id, occurred_at) include (tool_id, duration_ms);

-- One session. Its events share an entry of the index, so it stays small.
create index usage_events_session_idx on usage_events (org_id, session_id);

-- What did not succeed, newest first: a few events in a hundred, which a walk through all of them might never find.
create index usage_events_outcome_idx on usage_events (org_id, outcome, occurred_at) where outcome <> 'success';

-- Whether the board of members shows names; if not, each member gets a pseudonym that stays the same. The salt keeps
-- pseudonyms from being guessed by trying all members.
alter table orgs add column show_names boolean not null default true;
alter table orgs add column board_salt uuid not null default gen_random_uuid();

-- A member may stay off the board.
alter table members add column board_opt_out boolean not null default false;

-- The name under which a board shows a member.
create function board_name(show_names boolean, salt uuid, member_id bigint, handle text) returns text
    language sql immutable parallel safe
    return case
        when show_names then handle
        else 'member-' || substr(encode(sha256(convert_to(salt::text || ':' || member_id, 'UTF8')), 'hex'), 1, 10)
    end;

-- The scores, with their counts from the rollup, which holds one row where the events hold twenty. The median is the
-- one figure that needs every event; it is read from the covering index, in the order that the index has.
drop materialized view tool_scores;

create materialized view tool_scores as
with by_member as (
    select
        org_id,
        tool_id,
        member_id,
        sum(events) as events,
        sum(successes) as successes,
        sum(failures) as failures,
        sum(abandoned) as abandoned,
        sum(unknown) as unknown,
        sum(costed) as costed,
        sum(cost_micro_usd) as cost_micro_usd,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at
    from usage_days
    group by org_id, tool_id, member_id
),
by_tool as (
    select
        org_id,
        tool_id,
        sum(events)::bigint as events,
        sum(successes)::bigint as successes,
        sum(failures)::bigint as failures,
        sum(abandoned)::bigint as abandoned,
        sum(unknown)::bigint as unknown,
        sum(costed)::bigint as costed,
        sum(cost_micro_usd) as cost_micro_usd,
        count(*) as members,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at
    from by_member
    group by org_id, tool_id
),
medians as (
    select org_id, tool_id, percentile_cont(0.5) within group (order by duration_ms) as median_duration_ms
    from usage_events
    where duration_ms is not null
    group by org_id, tool_id
)
select
    t.org_id,
    t.tool_id,
    split_part(t.tool_id, ':', 1) as kind,
    t.events,
    t.successes,
    t.failures,
    t.abandoned,
    t.unknown,
    t.successes::double precision / t.events as success_rate,
    t.successes::double precision / nullif(t.successes + t.failures, 0) as decided_rate,
    wilson_low(t.successes, t.successes + t.failures) as wilson_low,
    t.cost_micro_usd::double precision / nullif(t.costed, 0) / 1e6 as avg_cost_usd,
    m.median_duration_ms,
    t.members,
    t.first_used_at,
    t.last_used_at
from by_tool t
left join medians m on m.org_id = t.org_id and m.tool_id = t.tool_id;

create unique index tool_scores_key on tool_scores (org_id, tool_id);

-- When the boards were refreshed, and on which UTC day their windows end. news_at: when a refresh last began that
-- found something new; boards that began before it lack that.
alter table score_refresh add column today date;
alter table score_refresh add column news_at timestamptz;

insert into score_refresh (view_name, today) values ('board_scores', (now() at time zone 'UTC')::date);

-- Every board for every window. subject is the tool, the project, or the number of the member. builtins: whether the
-- agent's built-in tools count. days = 0 is the window without a beginning.
--
-- Where the windows end is read from score_refresh, where the refresh writes it, and not from the clock.
create materialized view board_scores as
with clock as (
    select today from score_refresh where view_name = 'board_scores'
),
-- The last age (in the numbering of cells) that belongs to a window, and the one that makes up the window before it.
windows (days, last_age, previous_age) as (
    values (7, 0, 1), (30, 2, 3), (90, 4, 5), (0, 6, null)
),
cells as (
    select
        org_id,
        member_id,
        tool_id,
        project,
        tool_id like 'builtin:%' as builtin,
        case
            when day > today - 7 then 0 when day > today - 14 then 1 when day > today - 30 then 2
            when day > today - 60 then 3 when day > today - 90 then 4 when day > today - 180 then 5 else 6
        end as age,
        sum(events) as events,
        sum(successes) as successes,
        sum(failures) as failures,
        sum(abandoned) as abandoned,
        sum(unknown) as unknown,
        sum(unknown_tool) as unknown_tool,
        sum(costed) as costed,
        sum(cost_micro_usd) as cost_micro_usd,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at
    from usage_days
    cross join clock
    group by 1, 2, 3, 4, 5, 6
),
counts as (
    select
        c.org_id,
        case when grouping(c.tool_id) = 0 then 'tools' when grouping(c.project) = 0 then 'projects' else 'members' end
            as board,
        w.days,
        b.builtins,
        coalesce(c.tool_id, c.project, c.member_id::text) as subject,
        sum(c.events) filter (where c.age <= w.last_age)::bigint as events,
        sum(c.successes) filter (where c.age <= w.last_age)::bigint as successes,
        sum(c.failures) filter (where c.age <= w.last_age)::bigint as failures,
        sum(c.abandoned) filter (where c.age <= w.last_age)::bigint as abandoned,
        sum(c.unknown) filter (where c.age <= w.last_age)::bigint as unknown,
        sum(c.unknown_tool) filter (where c.age <= w.last_age)::bigint as unknown_tool,
        sum(c.costed) filter (where c.age <= w.last_age)::bigint as costed,
        sum(c.cost_micro_usd) filter (where c.age <= w.last_age) as cost_micro_usd,
        count(distinct c.member_id) filter (where c.age <= w.last_age) as members,
        count(distinct c.tool_id) filter (where c.age <= w.last_age) as tools,
        min(c.first_used_at) filter (where c.age <= w.last_age) as first_used_at,
        max(c.last_used_at) filter (where c.age <= w.last_age) as last_used_at,
        coalesce(sum(c.events) filter (where c.age = w.previous_age), 0)::bigint as previous_events,
        coalesce(sum(c.successes) filter (where c.age = w.previous_age), 0)::bigint as previous_successes,
        coalesce(sum(c.failures) filter (where c.age = w.previous_age), 0)::bigint as previous_failures
    from cells c
    join windows w on c.age <= w.last_age or c.age = w.previous_age
    cross join (values (true), (false)) as b (builtins)
    where b.builtins or not c.builtin
    group by grouping sets (
        (c.org_id, w.days, b.builtins, c.tool_id),
        (c.org_id, w.days, b.builtins, c.member_id),
        (c.org_id, w.days, b.builtins, c.project)
    )
    having sum(c.events) filter (where c.age <= w.last_age) > 0
),
since as (
    select
        (today - 6)::timestamp at time zone 'UTC' as d7,
        (today - 29)::timestamp at time zone 'UTC' as d30,
        (today - 89)::timestamp at time zone 'UTC' as d90
    from clock
),
timed as not materialized (
    select
        org_id, member_id, project, duration_ms, tool_id like 'builtin:%' as builtin,
        case
            when occurred_at >= (select d7 from since) then 0
            when occurred_at >= (select d30 from since) then 2
            when occurred_at >= (select d90 from since) then 4
            else 6
        end as age
    from usage_events
    where duration_ms is not null
),
tool_medians as (
    select
        org_id,
        tool_id as subject,
        percentile_cont(0.5) within group (order by duration_ms) as always,
        percentile_cont(0.5) within group (order by duration_ms)
            filter (where occurred_at >= (select d90 from since)) as d90,
        percentile_cont(0.5) within group (order by duration_ms)
            filter (where occurred_at >= (select d30 from since)) as d30,
        percentile_cont(0.5) within group (order by duration_ms)
            filter (where occurred_at >= (select d7 from since)) as d7
    from usage_events
    where duration_ms is not null
    group by org_id, tool_id
),
member_medians as (
    select
        org_id,
        member_id::text as subject,
        percentile_cont(0.5) within group (order by duration_ms) as always,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 4) as d90,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 2) as d30,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age = 0) as d7,
        percentile_cont(0.5) within group (order by duration_ms) filter (where not builtin) as always_own,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 4 and not builtin) as d90_own,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 2 and not builtin) as d30_own,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age = 0 and not builtin) as d7_own
    from timed
    group by org_id, member_id
),
project_medians as (
    select
        org_id,
        project as subject,
        percentile_cont(0.5) within group (order by duration_ms) as always,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 4) as d90,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 2) as d30,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age = 0) as d7,
        percentile_cont(0.5) within group (order by duration_ms) filter (where not builtin) as always_own,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 4 and not builtin) as d90_own,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age <= 2 and not builtin) as d30_own,
        percentile_cont(0.5) within group (order by duration_ms) filter (where age = 0 and not builtin) as d7_own
    from timed
    where project is not null
    group by org_id, project
),
medians as (
    select m.org_id, m.board, m.subject, v.days, v.builtins, v.median_duration_ms
    from (
        select org_id, 'tools' as board, subject, always, d90, d30, d7, always as always_own, d90 as d90_own,
            d30 as d30_own, d7 as d7_own
        from tool_medians
        union all
        select org_id, 'members', subject, always, d90, d30, d7, always_own, d90_own, d30_own, d7_own
        from member_medians
        union all
        select org_id, 'projects', subject, always, d90, d30, d7, always_own, d90_own, d30_own, d7_own
        from project_medians
    ) m
    cross join lateral (
        values
            (0, true, always), (90, true, d90), (30, true, d30), (7, true, d7),
            (0, false, always_own), (90, false, d90_own), (30, false, d30_own), (7, false, d7_own)
    ) as v (days, builtins, median_duration_ms)
)
select
    c.org_id,
    c.board,
    c.days,
    c.builtins,
    c.subject collate "C" as subject,
    c.tools,
    c.events,
    c.successes,
    c.failures,
    c.abandoned,
    c.unknown,
    c.unknown_tool,
    c.successes::double precision / c.events as success_rate,
    c.successes::double precision / nullif(c.successes + c.failures, 0) as decided_rate,
    wilson_low(c.successes, c.successes + c.failures) as wilson_low,
    c.cost_micro_usd::double precision / nullif(c.costed, 0) / 1e6 as avg_cost_usd,
    m.median_duration_ms,
    c.members,
    c.first_used_at,
    c.last_used_at,
    c.previous_events,
    c.previous_successes::double precision / nullif(c.previous_successes + c.previous_failures, 0)
        as previous_decided_rate,
    wilson_low(c.previous_successes, c.previous_successes + c.previous_failures) as previous_wilson_low
from counts c
left join medians m
    on m.org_id = c.org_id and m.board = c.board and m.days = c.days and m.builtins = c.builtins
    and m.subject = c.subject
where c.board <> 'projects' or c.subject <> '';

create unique index board_scores_key on board_scores (org_id, board, days, builtins, subject);

-- In how many sessions of a window a tool was loaded: the denominator of dead weight. Refreshed with the boards.
create materialized view loaded_tools as
with clock as (
    select today from score_refresh where view_name = 'board_scores'
)
select
    s.org_id,
    w.days,
    s.tool_id,
    count(*) as sessions,
    count(distinct s.member_id) as members,
    sum(s.context_bytes)::bigint as context_bytes,
    min(s.observed_at) as first_loaded_at
from session_tools s
cross join clock
join (values (7), (30), (90), (0)) as w (days)
    on w.days = 0 or s.observed_at >= (today - w.days + 1)::timestamp at time zone 'UTC'
group by s.org_id, w.days, s.tool_id;

create unique index loaded_tools_key on loaded_tools (org_id, days, tool_id);
