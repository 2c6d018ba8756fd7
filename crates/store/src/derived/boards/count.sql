-- derived::boards::windows (count)
-- The boards of the subjects that changed, or with $4 of all, for the windows $3, which end on day $2: counts from
-- their days. reach.sql adds how many tools and members they are. The window without a beginning changes only with
-- its events.
with subjects as (
    select board, subject, bool_or(changed) as changed
    from (
        select board, subject, true as changed from pending_changes where org_id = $1 and board <> 'loaded'
        union all
        select board, subject, false from board_scores where org_id = $1 and $4
    ) s
    group by board, subject
),
sums as (
    select
        s.board, s.subject, w.days, d.builtin, d.day > w.before as inside, sum(d.events) as events,
        sum(d.successes) as successes, sum(d.failures) as failures, sum(d.abandoned) as abandoned,
        sum(d.unknown) as unknown, sum(d.unknown_tool) as unknown_tool, sum(d.costed) as costed,
        sum(d.cost_micro_usd) as cost, sum(d.run_cost_micro_usd) as run_cost, min(d.first_used_at) as first_used_at, max(d.last_used_at) as last_used_at
    from subjects s
    join board_windows_on($2::date, $3::integer[]) w on w.days > 0 or s.changed
    cross join lateral (
        select * from board_days
        where org_id = $1 and board = s.board and subject = s.subject and day > w.previous_before
        offset 0
    ) d
    group by 1, 2, 3, 4, 5
),
counts as (
    select
        s.board, s.subject, s.days, b.builtins, s.inside, sum(events)::bigint as events,
        sum(successes)::bigint as successes, sum(failures)::bigint as failures, sum(abandoned)::bigint as abandoned,
        sum(unknown)::bigint as unknown, sum(unknown_tool)::bigint as unknown_tool, sum(costed)::bigint as costed,
        sum(cost) as cost, sum(run_cost) as run_cost, min(first_used_at) as first_used_at, max(last_used_at) as last_used_at
    from sums s
    join (values (true), (false)) as b (builtins) on b.builtins or not s.builtin
    group by 1, 2, 3, 4, 5
)
insert into board_scores (
    org_id, board, days, builtins, subject, tools, members, events, successes, failures, abandoned, unknown,
    unknown_tool, costed, cost_micro_usd, run_cost_micro_usd, success_rate, decided_rate, wilson_low, avg_cost_usd,
    median_duration_ms,
    first_used_at, last_used_at, previous_events, previous_decided_rate, previous_wilson_low
)
select
    $1, c.board, c.days, c.builtins, c.subject, 0, 0, c.events, c.successes, c.failures, c.abandoned, c.unknown,
    c.unknown_tool, c.costed, least(c.cost, 9223372036854775807)::bigint,
    least(c.run_cost, 9223372036854775807)::bigint, c.successes::double precision / c.events,
    c.successes::double precision / nullif(c.successes + c.failures, 0),
    wilson_low(c.successes, c.successes + c.failures), c.cost::double precision / nullif(c.costed, 0) / 1e6,
    m.median_duration_ms, c.first_used_at, c.last_used_at, coalesce(p.events, 0),
    p.successes::double precision / nullif(p.successes + p.failures, 0),
    wilson_low(p.successes, p.successes + p.failures)
from counts c
left join counts p
    on p.board = c.board and p.subject = c.subject and p.days = c.days and p.builtins = c.builtins and not p.inside
left join tool_medians m on m.org_id = $1 and c.board = 'tools' and m.tool_id = c.subject and m.days = c.days
where c.inside
on conflict (org_id, board, days, builtins, subject) do update
set
    events = excluded.events, successes = excluded.successes, failures = excluded.failures,
    abandoned = excluded.abandoned, unknown = excluded.unknown, unknown_tool = excluded.unknown_tool,
    costed = excluded.costed, cost_micro_usd = excluded.cost_micro_usd,
    run_cost_micro_usd = excluded.run_cost_micro_usd,
    success_rate = excluded.success_rate, decided_rate = excluded.decided_rate, wilson_low = excluded.wilson_low,
    avg_cost_usd = excluded.avg_cost_usd, median_duration_ms = excluded.median_duration_ms,
    first_used_at = excluded.first_used_at, last_used_at = excluded.last_used_at,
    previous_events = excluded.previous_events, previous_decided_rate = excluded.previous_decided_rate,
    previous_wilson_low = excluded.previous_wilson_low
