-- overview::overview (days)
-- The days of all members together.
select
    day,
    sum(events)::bigint as events,
    coalesce(sum(events) filter (where not builtin), 0)::bigint as own_events,
    sum(successes)::bigint as successes,
    sum(failures)::bigint as failures,
    sum(costed)::bigint as costed,
    least(sum(cost_micro_usd), 9223372036854775807)::bigint as cost_micro_usd
from board_days
where org_id = $1 and board = 'members' and events > 0 and ($2::date is null or day >= $2) and day <= $3
group by day
order by day
