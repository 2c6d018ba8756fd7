-- derived::rollup::changes::write (add days)
-- Adds differences to the days, which are locked in the order of the key.
-- org_id comes from tools and not from the parameter, so that a distributed database keeps the statement on one node.
insert into usage_days (
    org_id, member_id, day, tool_id, project, already_counted, events, successes, failures, abandoned, unknown,
    unknown_tool, costed, timed, cost_micro_usd, first_used_at, last_used_at,
    run_cost_micro_usd
)
select
    t.org_id, b.member_id, b.day, b.tool_id, b.project, b.already_counted, b.events, b.successes, b.failures,
    b.abandoned, b.unknown, b.unknown_tool, b.costed, b.timed, b.cost_micro_usd, b.first_used_at, b.last_used_at,
    b.run_cost_micro_usd
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::integer[], $7::integer[], $8::integer[], $9::integer[],
    $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::bigint[], $15::timestamptz[],
    $16::timestamptz[], $17::bigint[], $18::date[]
) as b (
    member_id, tool_id, project, already_counted, events, successes, failures, abandoned, unknown, unknown_tool,
    costed, timed, cost_micro_usd, first_used_at, last_used_at, run_cost_micro_usd, day
)
join tools t on t.org_id = $1 and t.tool_id = b.tool_id
order by b.member_id, b.day, b.tool_id collate "C", b.project collate "C", b.already_counted
on conflict (org_id, member_id, day, tool_id, project, already_counted) do update
set
    events = usage_days.events + excluded.events,
    successes = usage_days.successes + excluded.successes,
    failures = usage_days.failures + excluded.failures,
    abandoned = usage_days.abandoned + excluded.abandoned,
    unknown = usage_days.unknown + excluded.unknown,
    unknown_tool = usage_days.unknown_tool + excluded.unknown_tool,
    costed = usage_days.costed + excluded.costed,
    timed = usage_days.timed + excluded.timed,
    cost_micro_usd = least(
        usage_days.cost_micro_usd::numeric + excluded.cost_micro_usd, 9223372036854775807
    )::bigint,
    run_cost_micro_usd = least(
        usage_days.run_cost_micro_usd::numeric + excluded.run_cost_micro_usd, 9223372036854775807
    )::bigint,
    first_used_at = least(usage_days.first_used_at, excluded.first_used_at),
    last_used_at = greatest(usage_days.last_used_at, excluded.last_used_at)
