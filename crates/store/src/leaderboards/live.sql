-- leaderboards::live_rows
-- A board over a part of the events, counted from the rollup. The median of a tool is that of all its calls, so these
-- rows have none. $2 is the board, $3 to $12 the days that count, $4 to $13 those that they are compared
-- with, $14 to $15 the days of both, $5 the kind (null leaves built-ins out, 'all' does not), $6 the project, $7 the member. Each subject's tools and members are added
-- up first, by hashing, so that few rows are sorted to count them.
with cells as materialized (
    select
        case $2 when 'tools' then d.tool_id when 'projects' then d.project else d.member_id::text end as subject,
        d.tool_id, d.member_id,
        sum(d.events) filter (where d.day between p.first_day and $12) as events,
        sum(d.successes) filter (where d.day between p.first_day and $12) as successes,
        sum(d.failures) filter (where d.day between p.first_day and $12) as failures,
        sum(d.abandoned) filter (where d.day between p.first_day and $12) as abandoned,
        sum(d.unknown) filter (where d.day between p.first_day and $12) as unknown,
        sum(d.costed) filter (where d.day between p.first_day and $12) as costed,
        sum(d.cost_micro_usd) filter (where d.day between p.first_day and $12) as cost_micro_usd,
        sum(d.run_cost_micro_usd) filter (where d.day between p.first_day and $12) as run_cost_micro_usd,
        min(d.first_used_at) filter (where d.day between p.first_day and $12) as first_used_at,
        max(d.last_used_at) filter (where d.day between p.first_day and $12) as last_used_at,
        sum(d.events) filter (where d.day between $4 and $13) as previous_events,
        sum(d.successes) filter (where d.day between $4 and $13) as previous_successes,
        sum(d.failures) filter (where d.day between $4 and $13) as previous_failures
    from (select coalesce($3::date, '-infinity') as first_day) p
    cross join usage_days d
    where d.org_id = $1
        and ($14::date is null or d.day >= $14)
        and d.day <= $15
        and ($5 = 'all' or ($5 is null and d.tool_id not like 'builtin:%') or d.tool_id like $5 || ':%')
        and ($6::text is null or d.project = $6)
        and ($7::bigint is null or d.member_id = $7)
        and ($2 <> 'projects' or d.project <> '')
        -- Of what belongs to one member all counts; of the org's, each call once.
        and ($2 = 'members' or $7::bigint is not null or not d.already_counted)
    group by 1, 2, 3
),
counts as (
    select
        subject,
        count(distinct tool_id) filter (where events > 0) as tools,
        sum(events)::bigint as events,
        sum(successes)::bigint as successes,
        sum(failures)::bigint as failures,
        sum(abandoned)::bigint as abandoned,
        sum(unknown)::bigint as unknown,
        sum(costed)::bigint as costed,
        sum(cost_micro_usd) as cost_micro_usd,
        sum(run_cost_micro_usd) as run_cost_micro_usd,
        count(distinct member_id) filter (where events > 0) as members,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at,
        coalesce(sum(previous_events), 0)::bigint as previous_events,
        coalesce(sum(previous_successes), 0)::bigint as previous_successes,
        coalesce(sum(previous_failures), 0)::bigint as previous_failures
    from cells
    group by subject
    having sum(events) >= $8
)
select
    m.kind as member_kind,
    row_number() over (
        partition by m.kind
        order by
            b.tools desc, b.successes::double precision / nullif(b.successes + b.failures, 0) desc nulls last,
            n.name collate "C"
    ) as rank,
    n.name as subject, b.tools, b.events, b.successes, b.failures, b.abandoned, b.unknown,
    b.successes::double precision / b.events as success_rate,
    b.successes::double precision / nullif(b.successes + b.failures, 0) as decided_rate,
    wilson_low(b.successes, b.successes + b.failures) as wilson_low,
    b.cost_micro_usd::double precision / nullif(b.costed, 0) / 1e6 as avg_cost_usd,
    b.costed, least(b.cost_micro_usd, 9223372036854775807)::bigint as cost_micro_usd,
    least(b.run_cost_micro_usd, 9223372036854775807)::bigint as run_cost_micro_usd,
    null::double precision as median_duration_ms, b.members, b.first_used_at, b.last_used_at,
    b.previous_events,
    b.previous_successes::double precision / nullif(b.previous_successes + b.previous_failures, 0)
        as previous_decided_rate,
    wilson_low(b.previous_successes, b.previous_successes + b.previous_failures) as previous_wilson_low
from counts b
join orgs o on o.org_id = $1
left join members m on m.org_id = $1 and $2 = 'members' and m.member_id::text = b.subject
cross join lateral (
    select case
        when $2 = 'members' then board_name(o.show_names, o.board_salt, m.member_id, m.handle) else b.subject
    end as name
) n
where $2 <> 'members' or (not m.board_opt_out and ($11::text is null or m.kind = $11))
order by
    case when $2 = 'members' then m.kind end = 'ci',
    case when $2 = 'tools' then wilson_low(b.successes, b.successes + b.failures) end desc nulls last,
    case when $2 = 'members' then b.tools end desc,
    case when $2 = 'members' then b.successes::double precision / nullif(b.successes + b.failures, 0) end desc nulls last,
    case when $2 <> 'members' then b.events end desc,
    n.name collate "C"
offset $9 limit $10
