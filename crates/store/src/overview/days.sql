-- overview::overview
-- The days of all members together. Each member's days are a range of the key, so that the days before the window are not
-- read. How many members have a call is the same in every row: in the window, and before $3 in the one before it.
with days as materialized (
    select d.subject, d.day, d.builtin, d.events, d.successes, d.failures, d.costed, d.cost_micro_usd
    from members m
    cross join lateral (
        select *
        from board_days b
        where b.org_id = $1 and b.board = 'members' and b.subject = m.member_id::text
            and b.day >= $2 and b.day <= $4 and b.events > 0
        -- Without a limit the planner would join, and read all days of the org.
        offset 0
    ) d
    where m.org_id = $1
),
-- Calls that two members uploaded are counted once.
once as (
    select day, builtin, events, successes, failures, costed, cost_micro_usd from days
    union all
    select b.day, b.builtin, -b.events, -b.successes, -b.failures, -b.costed, -b.cost_micro_usd
    from board_days b
    where b.org_id = $1 and b.board = 'already_counted' and b.subject = '' and b.day >= $2 and b.day <= $4
)
select
    day,
    sum(events)::bigint as events,
    coalesce(sum(events) filter (where not builtin), 0)::bigint as own_events,
    sum(successes)::bigint as successes,
    sum(failures)::bigint as failures,
    sum(costed)::bigint as costed,
    least(sum(cost_micro_usd), 9223372036854775807)::bigint as cost_micro_usd,
    (select count(distinct subject) from days where day >= $3) as members,
    (select count(distinct subject) from days where day < $3) as previous_members
from once
group by day
order by day
