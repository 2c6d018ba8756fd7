-- derived::boards::windows (count)
-- The boards of the subjects that changed, or with $4 of all, for the windows $3, which end on day $2: counts from
-- their days. A member or tool that was used in a window was last used since its first day, so who and what is counted
-- by the last uses in usage_totals.
insert into board_scores (
    org_id, board, days, builtins, subject, tools, events, successes, failures, abandoned, unknown, unknown_tool,
    success_rate, decided_rate, wilson_low, avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at,
    previous_events, previous_decided_rate, previous_wilson_low
)
select
    $1, s.board, w.days, b.builtins, s.subject, reach.tools, c.events, c.successes, c.failures, c.abandoned, c.unknown,
    c.unknown_tool,
    c.successes::double precision / c.events,
    c.successes::double precision / nullif(c.successes + c.failures, 0),
    wilson_low(c.successes, c.successes + c.failures),
    c.cost_micro_usd::double precision / nullif(c.costed, 0) / 1e6,
    m.median_duration_ms, reach.members, c.first_used_at, c.last_used_at, c.previous_events,
    c.previous_successes::double precision / nullif(c.previous_successes + c.previous_failures, 0),
    wilson_low(c.previous_successes, c.previous_successes + c.previous_failures)
from (
    select board, subject from pending_changes where org_id = $1 and board <> 'loaded'
    union
    select board, subject from board_scores where org_id = $1 and $4
) s
cross join unnest($3::integer[]) as w (days)
cross join (values (true), (false)) as b (builtins)
cross join lateral (
    select case w.days when 0 then '-infinity' else $2::date - w.days end as before,
        case w.days when 0 then '-infinity' else $2::date - 2 * w.days end as previous_before
) d
cross join lateral (
    select
        coalesce(sum(events) filter (where day > d.before), 0)::bigint as events,
        coalesce(sum(successes) filter (where day > d.before), 0)::bigint as successes,
        coalesce(sum(failures) filter (where day > d.before), 0)::bigint as failures,
        coalesce(sum(abandoned) filter (where day > d.before), 0)::bigint as abandoned,
        coalesce(sum(unknown) filter (where day > d.before), 0)::bigint as unknown,
        coalesce(sum(unknown_tool) filter (where day > d.before), 0)::bigint as unknown_tool,
        coalesce(sum(costed) filter (where day > d.before), 0)::bigint as costed,
        sum(cost_micro_usd) filter (where day > d.before) as cost_micro_usd,
        min(first_used_at) filter (where day > d.before) as first_used_at,
        max(last_used_at) filter (where day > d.before) as last_used_at,
        coalesce(sum(events) filter (where day <= d.before), 0)::bigint as previous_events,
        coalesce(sum(successes) filter (where day <= d.before), 0)::bigint as previous_successes,
        coalesce(sum(failures) filter (where day <= d.before), 0)::bigint as previous_failures
    from board_days
    where org_id = $1 and board = s.board and subject = s.subject and day > d.previous_before
        and (b.builtins or not builtin)
) c
cross join lateral (
    select count(distinct t.tool_id) as tools, count(distinct t.member_id) as members
    from (
        select * from usage_totals t where s.board = 'tools' and t.org_id = $1 and t.tool_id = s.subject
        union all
        select * from usage_totals t
        where t.org_id = $1 and t.member_id = case s.board when 'members' then s.subject::bigint end
        union all
        select * from usage_totals t where s.board = 'projects' and t.org_id = $1 and t.project = s.subject
    ) t
    where t.last_used_at >= (d.before + 1)::timestamp at time zone 'UTC'
        and (b.builtins or t.tool_id not like 'builtin:%')
) reach
left join tool_medians m
    on m.org_id = $1 and s.board = 'tools' and m.tool_id = s.subject and m.days = w.days
where c.events > 0
on conflict (org_id, board, days, builtins, subject) do update
set
    tools = excluded.tools, events = excluded.events, successes = excluded.successes, failures = excluded.failures,
    abandoned = excluded.abandoned, unknown = excluded.unknown, unknown_tool = excluded.unknown_tool,
    success_rate = excluded.success_rate, decided_rate = excluded.decided_rate, wilson_low = excluded.wilson_low,
    avg_cost_usd = excluded.avg_cost_usd, median_duration_ms = excluded.median_duration_ms, members = excluded.members,
    first_used_at = excluded.first_used_at, last_used_at = excluded.last_used_at,
    previous_events = excluded.previous_events, previous_decided_rate = excluded.previous_decided_rate,
    previous_wilson_low = excluded.previous_wilson_low
