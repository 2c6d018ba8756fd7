-- derived::boards::medians::follow (walk)
-- The durations at the two middle ranks, by steps from the pivot through usage_events_durations_idx; the lower one is
-- the new pivot. Both are looked for on their own: the middle may lie on both sides of the pivot. $2: the day on which
-- windows end. $3: look at all tools of the org and not only at those that changed.
--
-- "is not true" keeps the time of the window a filter of that index, where it could be the range of another.
with middle as (
    select m.tool_id, m.days, m.pivot_ms, m.below, m.level, begin.since, at.low, at.high
    from tool_medians m
    cross join lateral (
        select case m.days when 0 then '-infinity' else ($2::date - m.days + 1)::timestamp at time zone 'UTC' end
            as since
    ) begin
    cross join lateral (
        select min(ranked.ms) as low, max(ranked.ms) as high
        from (values ((m.timed - 1) / 2), (m.timed / 2)) as r (rank)
        cross join lateral (
            select case
                when r.rank < m.below then (
                    select e.duration_ms from usage_events e
                    where e.org_id = $1 and e.tool_id = m.tool_id and e.duration_ms < m.pivot_ms
                        and not e.already_counted and (e.occurred_at < begin.since) is not true
                    order by e.duration_ms desc offset m.below - 1 - r.rank limit 1
                )
                when r.rank < m.below + m.level then m.pivot_ms
                else (
                    select e.duration_ms from usage_events e
                    where e.org_id = $1 and e.tool_id = m.tool_id and e.duration_ms > m.pivot_ms
                        and not e.already_counted and (e.occurred_at < begin.since) is not true
                    order by e.duration_ms offset r.rank - m.below - m.level limit 1
                )
            end as ms
        ) ranked
    ) at
    where m.org_id = $1 and m.timed > 0
        and ($3 or m.tool_id in (select subject from pending_changes where org_id = $1 and board = 'tools'))
)
update tool_medians m
set
    below = c.below, level = c.level, pivot_ms = middle.low,
    median_duration_ms = (select percentile_cont(0.5) within group (order by v) from unnest(array[low, high]) v)
from middle
cross join lateral (
    select
        middle.below
            + case when middle.low > middle.pivot_ms then middle.level else 0 end
            + (
                select count(*) from usage_events e
                where e.org_id = $1 and e.tool_id = middle.tool_id
                    and e.duration_ms > middle.pivot_ms and e.duration_ms < middle.low
                    and not e.already_counted and (e.occurred_at < middle.since) is not true
            )
            - (
                select count(*) from usage_events e
                where e.org_id = $1 and e.tool_id = middle.tool_id
                    and e.duration_ms < middle.pivot_ms and e.duration_ms >= middle.low
                    and not e.already_counted and (e.occurred_at < middle.since) is not true
            ) as below,
        case
            when middle.low = middle.pivot_ms then middle.level
            else (
                select count(*) from usage_events e
                where e.org_id = $1 and e.tool_id = middle.tool_id and e.duration_ms = middle.low
                    and not e.already_counted and e.occurred_at >= middle.since
            )
        end as level
) c
where m.org_id = $1 and m.tool_id = middle.tool_id and m.days = middle.days
