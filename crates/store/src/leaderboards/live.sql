-- leaderboards::live_rows
-- A board over a part of the events, counted from the rollup. The median of a tool is that of all its calls, so these
-- rows have none. $2 is the board, $3 and $4 the first days of the window and of the one before, $5 the kind
-- (null leaves built-ins out, 'all' does not), $6 the project, $7 the member.
with scope as materialized (
    select
        d.member_id, d.day, d.tool_id, d.project,
        case $2 when 'tools' then d.tool_id when 'projects' then d.project else d.member_id::text end as subject,
        $3::date is null or d.day >= $3 as inside,
        d.events, d.successes, d.failures, d.abandoned, d.unknown, d.costed, d.cost_micro_usd, d.first_used_at,
        d.last_used_at
    from usage_days d
    where d.org_id = $1
        and ($4::date is null or d.day >= $4)
        and ($5 = 'all' or ($5 is null and d.tool_id not like 'builtin:%') or d.tool_id like $5 || ':%')
        and ($6::text is null or d.project = $6)
        and ($7::bigint is null or d.member_id = $7)
        and ($2 <> 'projects' or d.project <> '')
),
counts as (
    select
        subject,
        count(distinct tool_id) filter (where inside) as tools,
        sum(events) filter (where inside)::bigint as events,
        sum(successes) filter (where inside)::bigint as successes,
        sum(failures) filter (where inside)::bigint as failures,
        sum(abandoned) filter (where inside)::bigint as abandoned,
        sum(unknown) filter (where inside)::bigint as unknown,
        sum(costed) filter (where inside)::bigint as costed,
        sum(cost_micro_usd) filter (where inside) as cost_micro_usd,
        count(distinct member_id) filter (where inside) as members,
        min(first_used_at) filter (where inside) as first_used_at,
        max(last_used_at) filter (where inside) as last_used_at,
        coalesce(sum(events) filter (where not inside), 0)::bigint as previous_events,
        coalesce(sum(successes) filter (where not inside), 0)::bigint as previous_successes,
        coalesce(sum(failures) filter (where not inside), 0)::bigint as previous_failures
    from scope
    group by subject
    having sum(events) filter (where inside) >= $8
)
select
    n.name as subject, b.tools, b.events, b.successes, b.failures, b.abandoned, b.unknown,
    b.successes::double precision / b.events as success_rate,
    b.successes::double precision / nullif(b.successes + b.failures, 0) as decided_rate,
    wilson_low(b.successes, b.successes + b.failures) as wilson_low,
    b.cost_micro_usd::double precision / nullif(b.costed, 0) / 1e6 as avg_cost_usd,
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
where $2 <> 'members' or not m.board_opt_out
order by
    case when $2 = 'tools' then wilson_low(b.successes, b.successes + b.failures) end desc nulls last,
    case when $2 = 'members' then b.tools end desc,
    case when $2 = 'members' then b.successes::double precision / nullif(b.successes + b.failures, 0) end desc nulls last,
    case when $2 <> 'members' then b.events end desc,
    n.name collate "C"
offset $9 limit $10
