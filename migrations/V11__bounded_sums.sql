-- Sums that cannot overflow. A sum of sizes or costs beyond bigint made the refresh of all orgs fail; now it is the
-- greatest bigint, for the one tool or project of the one org.

drop materialized view board_scores;

-- Every board for every window. subject is the tool, the project, or the number of the member. builtins: whether the
-- agent's built-in tools count. days = 0 is the window without a beginning.
--
-- Where the windows end is read from score_refresh, where the refresh writes it, and not from the clock.
create materialized view board_scores as
with clock as (
    select
        today,
        (today - 6)::timestamp at time zone 'UTC' as d7,
        (today - 29)::timestamp at time zone 'UTC' as d30,
        (today - 89)::timestamp at time zone 'UTC' as d90
    from score_refresh
    where view_name = 'board_scores'
),
-- Which ages (in the numbering of cells) belong to a window, and which one makes up the window before it. Age 6 is all
-- time, which no other window holds.
windows (days, first_age, last_age, previous_age) as (
    values (7, 0, 0, 1), (30, 0, 2, 3), (90, 0, 4, 5), (0, 6, 6, null)
),
cells as (
    select
        org_id, member_id, tool_id, project,
        case
            when day > today - 7 then 0 when day > today - 14 then 1 when day > today - 30 then 2
            when day > today - 60 then 3 when day > today - 90 then 4 else 5
        end as age,
        sum(events) as events, sum(successes) as successes, sum(failures) as failures, sum(abandoned) as abandoned,
        sum(unknown) as unknown, sum(unknown_tool) as unknown_tool, sum(costed) as costed,
        least(sum(cost_micro_usd), 9223372036854775807)::bigint as cost_micro_usd,
        min(first_used_at) as first_used_at, max(last_used_at) as last_used_at
    from usage_days
    cross join clock
    where day > today - 180
    group by 1, 2, 3, 4, 5
    union all
    select
        org_id, member_id, tool_id, project, 6,
        events, successes, failures, abandoned, unknown, unknown_tool, costed, cost_micro_usd,
        first_used_at, last_used_at
    from usage_totals
),
-- Hashed, not sorted: what the boards still have to put in order is one row per window, member, tool and project.
parts as (
    select
        c.org_id, w.days, c.member_id, c.tool_id, c.project,
        sum(c.events) filter (where c.age between w.first_age and w.last_age) as events,
        sum(c.successes) filter (where c.age between w.first_age and w.last_age) as successes,
        sum(c.failures) filter (where c.age between w.first_age and w.last_age) as failures,
        sum(c.abandoned) filter (where c.age between w.first_age and w.last_age) as abandoned,
        sum(c.unknown) filter (where c.age between w.first_age and w.last_age) as unknown,
        sum(c.unknown_tool) filter (where c.age between w.first_age and w.last_age) as unknown_tool,
        sum(c.costed) filter (where c.age between w.first_age and w.last_age) as costed,
        sum(c.cost_micro_usd) filter (where c.age between w.first_age and w.last_age) as cost_micro_usd,
        min(c.first_used_at) filter (where c.age between w.first_age and w.last_age) as first_used_at,
        max(c.last_used_at) filter (where c.age between w.first_age and w.last_age) as last_used_at,
        sum(c.events) filter (where c.age = w.previous_age) as previous_events,
        sum(c.successes) filter (where c.age = w.previous_age) as previous_successes,
        sum(c.failures) filter (where c.age = w.previous_age) as previous_failures
    from cells c
    join windows w on c.age between w.first_age and w.last_age or c.age = w.previous_age
    group by 1, 2, 3, 4, 5
),
counts as (
    select
        p.org_id,
        case when grouping(p.tool_id) = 0 then 'tools' when grouping(p.project) = 0 then 'projects' else 'members' end
            as board,
        p.days,
        b.builtins,
        coalesce(p.tool_id, p.project, p.member_id::text) as subject,
        sum(p.events)::bigint as events,
        coalesce(sum(p.successes), 0)::bigint as successes,
        coalesce(sum(p.failures), 0)::bigint as failures,
        coalesce(sum(p.abandoned), 0)::bigint as abandoned,
        coalesce(sum(p.unknown), 0)::bigint as unknown,
        coalesce(sum(p.unknown_tool), 0)::bigint as unknown_tool,
        coalesce(sum(p.costed), 0)::bigint as costed,
        sum(p.cost_micro_usd) as cost_micro_usd,
        count(distinct p.member_id) filter (where p.events > 0) as members,
        count(distinct p.tool_id) filter (where p.events > 0) as tools,
        min(p.first_used_at) as first_used_at,
        max(p.last_used_at) as last_used_at,
        coalesce(sum(p.previous_events), 0)::bigint as previous_events,
        coalesce(sum(p.previous_successes), 0)::bigint as previous_successes,
        coalesce(sum(p.previous_failures), 0)::bigint as previous_failures
    from parts p
    cross join (values (true), (false)) as b (builtins)
    where b.builtins or p.tool_id not like 'builtin:%'
    group by grouping sets (
        (p.org_id, p.days, b.builtins, p.tool_id),
        (p.org_id, p.days, b.builtins, p.member_id),
        (p.org_id, p.days, b.builtins, p.project)
    )
    having sum(p.events) > 0
),
-- The medians of all time stand in tool_scores; those of the windows need only what has happened since.
tool_medians as (
    select t.org_id, t.tool_id as subject, m.d90, m.d30, m.d7
    from tool_scores t
    cross join clock
    cross join lateral (
        select
            percentile_cont(0.5) within group (order by e.duration_ms) as d90,
            percentile_cont(0.5) within group (order by e.duration_ms) filter (where e.occurred_at >= clock.d30) as d30,
            percentile_cont(0.5) within group (order by e.duration_ms) filter (where e.occurred_at >= clock.d7) as d7
        from usage_events e
        where e.org_id = t.org_id and e.tool_id = t.tool_id and e.occurred_at >= clock.d90
            and e.duration_ms is not null
    ) m
),
timed as not materialized (
    select
        org_id, member_id, project, duration_ms, tool_id like 'builtin:%' as builtin,
        case
            when occurred_at >= (select d7 from clock) then 0
            when occurred_at >= (select d30 from clock) then 2
            when occurred_at >= (select d90 from clock) then 4
            else 6
        end as age
    from usage_events
    where duration_ms is not null
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
        select t.org_id, 'tools' as board, t.subject, s.median_duration_ms as always, t.d90, t.d30, t.d7,
            s.median_duration_ms as always_own, t.d90 as d90_own, t.d30 as d30_own, t.d7 as d7_own
        from tool_medians t
        join tool_scores s on s.org_id = t.org_id and s.tool_id = t.subject
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

drop materialized view loaded_tools;

-- In how many sessions of a window a tool was loaded: the denominator of dead weight. Refreshed with the boards.
create materialized view loaded_tools as
with cells as (
    select
        org_id, tool_id, member_id,
        case
            when observed_at >= (today - 6)::timestamp at time zone 'UTC' then 7
            when observed_at >= (today - 29)::timestamp at time zone 'UTC' then 30
            when observed_at >= (today - 89)::timestamp at time zone 'UTC' then 90
            else 36500
        end as within,
        count(*) as sessions,
        sum(context_bytes) as context_bytes,
        min(observed_at) as first_loaded_at
    from session_tools
    cross join (select today from score_refresh where view_name = 'board_scores') clock
    group by 1, 2, 3, 4
)
select
    c.org_id,
    w.days,
    c.tool_id,
    sum(c.sessions)::bigint as sessions,
    count(distinct c.member_id) as members,
    least(sum(c.context_bytes), 9223372036854775807)::bigint as context_bytes,
    min(c.first_loaded_at) as first_loaded_at
from cells c
join (values (7, 7), (30, 30), (90, 90), (0, 36500)) as w (days, longest) on c.within <= w.longest
group by c.org_id, w.days, c.tool_id;

create unique index loaded_tools_key on loaded_tools (org_id, days, tool_id);
