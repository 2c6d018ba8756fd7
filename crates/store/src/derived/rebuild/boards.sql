-- derived::rebuild::differences (boards)
-- How many rows of boards differ from what the rollup and the events say, windows $3 ending on day $2: the definition
-- of the boards, without a shortcut.
with parts as (
    select
        s.board, w.days, b.builtins, s.subject, d.*, w.days = 0 or d.day > $2::date - w.days as inside
    from usage_days d
    cross join unnest($3::integer[]) as w (days)
    cross join (values (true), (false)) as b (builtins)
    cross join board_subjects(d.tool_id, d.member_id, d.project, d.already_counted) s
    where d.org_id = $1
        and (w.days = 0 or d.day > $2::date - 2 * w.days)
        and (b.builtins or d.tool_id not like 'builtin:%')
),
medians as (
    select e.tool_id, w.days, percentile_cont(0.5) within group (order by e.duration_ms) as median_duration_ms
    from usage_events e
    join unnest($3::integer[]) as w (days)
        on w.days = 0 or e.occurred_at >= ($2::date - w.days + 1)::timestamp at time zone 'UTC'
    where e.org_id = $1 and not e.already_counted
    group by 1, 2
),
counted as (
    select
        p.board, p.days, p.builtins, p.subject,
        array[
            count(distinct p.tool_id) filter (where inside), count(distinct p.member_id) filter (where inside),
            sum(p.events) filter (where inside), sum(p.successes) filter (where inside),
            sum(p.failures) filter (where inside), sum(p.abandoned) filter (where inside),
            sum(p.unknown) filter (where inside), sum(p.unknown_tool) filter (where inside),
            sum(p.costed) filter (where inside),
            least(sum(p.cost_micro_usd) filter (where inside), 9223372036854775807)::bigint,
            least(sum(p.run_cost_micro_usd) filter (where inside), 9223372036854775807)::bigint,
            coalesce(sum(p.events) filter (where not inside), 0)
        ] as counts,
        array[
            sum(p.successes) filter (where inside) / sum(p.events) filter (where inside)::double precision,
            wilson_low(
                sum(p.successes) filter (where inside),
                (sum(p.successes) filter (where inside) + sum(p.failures) filter (where inside))::bigint
            ),
            least(sum(p.cost_micro_usd) filter (where inside), 9e36)::double precision
                / nullif(sum(p.costed) filter (where inside), 0) / 1e6,
            wilson_low(
                sum(p.successes) filter (where not inside),
                (sum(p.successes) filter (where not inside) + sum(p.failures) filter (where not inside))::bigint
            ),
            (
                select m.median_duration_ms
                from medians m
                where p.board = 'tools' and m.tool_id = p.subject and m.days = p.days
            )
        ] as rates,
        min(p.first_used_at) filter (where inside) as first_used_at,
        max(p.last_used_at) filter (where inside) as last_used_at
    from parts p
    group by 1, 2, 3, 4
    having sum(p.events) filter (where inside) > 0
),
kept as (
    select
        board, days, builtins, subject,
        array[tools, members, events, successes, failures, abandoned, unknown, unknown_tool, costed,
            cost_micro_usd, run_cost_micro_usd, previous_events] as counts,
        array[success_rate, wilson_low, avg_cost_usd, previous_wilson_low, median_duration_ms] as rates,
        first_used_at, last_used_at
    from board_scores
    where org_id = $1
)
select count(*)
from counted
full join kept using (board, days, builtins, subject)
where counted.counts is distinct from kept.counts
    or counted.rates is distinct from kept.rates
    or (counted.first_used_at, counted.last_used_at) is distinct from (kept.first_used_at, kept.last_used_at)
