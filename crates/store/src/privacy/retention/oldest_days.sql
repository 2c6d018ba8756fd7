-- privacy::retention::forget_days (oldest days)
-- The last of the oldest days of a member that together hold at most ten thousand events; one day at least.
with days as (
    select day, sum(sum(events)) over (order by day) as events
    from usage_days
    where org_id = $1 and member_id = $2 and day < $3
    group by day
)
select max(day) from days where events <= 10000 or day = (select min(day) from days)
