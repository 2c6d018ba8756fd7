-- derived::rebuild::differences (days)
-- How many days of subjects differ from the rollup.
with counted as (
    select
        s.board, s.subject, d.day, d.tool_id like 'builtin:%' as builtin,
        sum(d.events) as events, sum(d.successes) as successes, sum(d.failures) as failures,
        sum(d.abandoned) as abandoned, sum(d.unknown) as unknown, sum(d.unknown_tool) as unknown_tool,
        sum(d.costed) as costed, least(sum(d.cost_micro_usd), 9223372036854775807) as cost_micro_usd,
        least(sum(d.run_cost_micro_usd), 9223372036854775807) as run_cost_micro_usd,
        min(d.first_used_at) as first_used_at, max(d.last_used_at) as last_used_at
    from usage_days d
    cross join board_subjects(d.tool_id, d.member_id, d.project, d.already_counted) s
    where d.org_id = $1
    group by 1, 2, 3, 4
),
kept as (
    select
        board, subject, day, builtin, events::numeric, successes::numeric, failures::numeric, abandoned::numeric,
        unknown::numeric, unknown_tool::numeric, costed::numeric, cost_micro_usd::numeric,
        run_cost_micro_usd::numeric, first_used_at, last_used_at
    from board_days
    where org_id = $1
)
select count(*)
from counted
full join kept using (board, subject, day, builtin)
where counted::text is distinct from kept::text
