-- derived::rollup::changes::write (add totals)
-- Adds differences to the totals, which are locked in the order of the key.
-- org_id comes from tools and not from the parameter, so that a distributed database keeps the statement on one node.
insert into usage_totals (
    org_id, member_id, tool_id, project, already_counted, events, successes, failures, abandoned, unknown,
    unknown_tool, costed, timed, cost_micro_usd, first_used_at, last_used_at,
    run_cost_micro_usd
)
select
    t.org_id, b.member_id, b.tool_id, b.project, b.already_counted, b.events, b.successes, b.failures,
    b.abandoned, b.unknown, b.unknown_tool, b.costed, b.timed, b.cost_micro_usd, b.first_used_at, b.last_used_at,
    b.run_cost_micro_usd
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::integer[], $7::integer[], $8::integer[], $9::integer[],
    $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::bigint[], $15::timestamptz[],
    $16::timestamptz[], $17::bigint[]
) as b (
    member_id, tool_id, project, already_counted, events, successes, failures, abandoned, unknown, unknown_tool,
    costed, timed, cost_micro_usd, first_used_at, last_used_at, run_cost_micro_usd
)
join tools t on t.org_id = $1 and t.tool_id = b.tool_id
order by b.member_id, b.tool_id collate "C", b.project collate "C", b.already_counted
on conflict (org_id, member_id, tool_id, project, already_counted) do update
set
    events = usage_totals.events + excluded.events,
    successes = usage_totals.successes + excluded.successes,
    failures = usage_totals.failures + excluded.failures,
    abandoned = usage_totals.abandoned + excluded.abandoned,
    unknown = usage_totals.unknown + excluded.unknown,
    unknown_tool = usage_totals.unknown_tool + excluded.unknown_tool,
    costed = usage_totals.costed + excluded.costed,
    timed = usage_totals.timed + excluded.timed,
    cost_micro_usd = least(
        usage_totals.cost_micro_usd::numeric + excluded.cost_micro_usd, 9223372036854775807
    )::bigint,
    run_cost_micro_usd = least(
        usage_totals.run_cost_micro_usd::numeric + excluded.run_cost_micro_usd, 9223372036854775807
    )::bigint,
    first_used_at = least(usage_totals.first_used_at, excluded.first_used_at),
    last_used_at = greatest(usage_totals.last_used_at, excluded.last_used_at)
