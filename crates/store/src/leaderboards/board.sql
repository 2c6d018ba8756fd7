-- leaderboards::board
-- One board for one window, from the events. $9 says what it ranks: tools, members or projects.
with scoped as (
    select e.tool_id, e.member_id, m.handle, e.project, e.outcome, e.cost_micro_usd, e.duration_ms, e.occurred_at
    from usage_events e
    join members m on m.org_id = e.org_id and m.member_id = e.member_id
    where e.org_id = $1
        and ($2::timestamptz is null or e.occurred_at >= $2)
        and case when $3 = 'all' then true
            when $3 is null then split_part(e.tool_id, ':', 1) <> 'builtin'
            else split_part(e.tool_id, ':', 1) = $3 end
        and ($4::text is null or e.project = $4)
        and ($5::text is null or m.handle = $5)
),
tallies as (
    select
        case $9 when 'tools' then tool_id when 'members' then handle else project end as subject,
        count(*) as events,
        count(*) filter (where outcome = 'success') as successes,
        count(*) filter (where outcome = 'failure') as failures,
        count(*) filter (where outcome = 'abandoned') as abandoned,
        count(*) filter (where outcome = 'unknown') as unknown,
        sum(cost_micro_usd)::double precision / nullif(count(cost_micro_usd), 0) / 1e6 as avg_cost_usd,
        percentile_cont(0.5) within group (order by duration_ms) as median_duration_ms,
        count(distinct member_id) as members,
        count(distinct tool_id) as tools,
        min(occurred_at) as first_used_at,
        max(occurred_at) as last_used_at
    from scoped
    group by 1
    having count(*) >= $6
)
select
    subject, tools, events, successes, failures, abandoned, unknown,
    successes::double precision / events as success_rate,
    successes::double precision / nullif(successes + failures, 0) as decided_rate,
    wilson_low(successes, successes + failures) as wilson_low,
    avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at
from tallies
where subject is not null
order by
    case when $9 = 'tools' then wilson_low(successes, successes + failures) end desc nulls last,
    case when $9 = 'members' then tools end desc,
    case when $9 = 'members' then successes::double precision / nullif(successes + failures, 0) end desc nulls last,
    events desc,
    subject
offset $7 limit $8
