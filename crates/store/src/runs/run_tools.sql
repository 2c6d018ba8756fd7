-- runs::run_tools
-- The calls of some sessions of one member, by tool and together (the row without a tool comes first, then the tools
-- that are asked for). The index of sessions is scanned for each session.
select
    e.tool_id,
    count(*) as events,
    count(*) filter (where e.outcome = 'success') as successes,
    count(*) filter (where e.outcome = 'failure') as failures,
    count(*) filter (where e.outcome = 'abandoned') as abandoned,
    count(*) filter (where e.outcome = 'unknown') as unknown,
    case when count(e.cost_micro_usd) > 0 then least(sum(e.cost_micro_usd), 9223372036854775807)::bigint end
        as cost_micro_usd,
    percentile_disc(0.5) within group (order by e.duration_ms) as median_duration_ms,
    max(e.duration_ms) as max_duration_ms
from unnest($3::text[]) as s (session_id)
cross join lateral (
    select u.tool_id, u.outcome, u.cost_micro_usd, u.duration_ms
    from usage_events u
    where u.org_id = $1 and u.session_id = s.session_id and u.member_id = $2
    offset 0
) e
group by grouping sets ((e.tool_id), ())
order by grouping(e.tool_id) desc, e.tool_id = any($4::text[]) desc, events desc, e.tool_id
limit $5
