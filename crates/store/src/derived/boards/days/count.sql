-- derived::boards::days::count (count)
-- The days that changed, counted again from the rollup. The joins are lateral, so that each day is looked up by its
-- key, whatever the planner knows of the org.
insert into board_days (
    org_id, board, subject, day, builtin, events, successes, failures, abandoned, unknown, unknown_tool, costed,
    cost_micro_usd, run_cost_micro_usd, first_used_at, last_used_at
)
select
    $1, p.board, p.subject, p.day, c.builtin, c.events, c.successes, c.failures, c.abandoned, c.unknown,
    c.unknown_tool, c.costed, c.cost_micro_usd, c.run_cost_micro_usd, c.first_used_at, c.last_used_at
from (select distinct board, subject, day from pending_changes where org_id = $1 and board <> 'loaded') p
cross join lateral (
    select
        d.tool_id like 'builtin:%' as builtin,
        sum(d.events) as events, sum(d.successes) as successes, sum(d.failures) as failures,
        sum(d.abandoned) as abandoned, sum(d.unknown) as unknown, sum(d.unknown_tool) as unknown_tool,
        sum(d.costed) as costed,
        least(sum(d.cost_micro_usd), 9223372036854775807)::bigint as cost_micro_usd,
        least(sum(d.run_cost_micro_usd), 9223372036854775807)::bigint as run_cost_micro_usd,
        min(d.first_used_at) as first_used_at, max(d.last_used_at) as last_used_at
    from (
        select * from usage_days d
        where p.board = 'tools' and d.org_id = $1 and d.tool_id = p.subject and d.day = p.day
            and not d.already_counted
        union all
        select * from usage_days d
        where d.org_id = $1 and d.member_id = case p.board when 'members' then p.subject::bigint end and d.day = p.day
        union all
        select * from usage_days d
        where p.board = 'projects' and d.org_id = $1 and d.project = p.subject and d.day = p.day
            and not d.already_counted
        union all
        select * from usage_days d
        where p.board = 'already_counted' and d.org_id = $1 and d.day = p.day and d.already_counted
    ) d
    group by 1
) c
on conflict (org_id, board, subject, day, builtin) do update
set
    events = excluded.events, successes = excluded.successes, failures = excluded.failures,
    abandoned = excluded.abandoned, unknown = excluded.unknown, unknown_tool = excluded.unknown_tool,
    costed = excluded.costed, cost_micro_usd = excluded.cost_micro_usd,
    run_cost_micro_usd = excluded.run_cost_micro_usd,
    first_used_at = excluded.first_used_at, last_used_at = excluded.last_used_at
