-- prices::uncosted_calls
-- At most $3 entries of the index for each model, and its two ends.
select m.model, c.calls, f.occurred_at as first_used_at, l.occurred_at as last_used_at
from unnest($2::text[] collate "C") as m (model)
cross join lateral (
    select count(*) as calls
    from (
        select
        from usage_events e
        where e.org_id = $1 and e.cost_micro_usd is null and e.model = m.model
        limit $3
    ) counted
) c
cross join lateral (
    select e.occurred_at
    from usage_events e
    where e.org_id = $1 and e.cost_micro_usd is null and e.model = m.model
    order by e.model, e.occurred_at
    limit 1
) f
cross join lateral (
    select e.occurred_at
    from usage_events e
    where e.org_id = $1 and e.cost_micro_usd is null and e.model = m.model
    order by e.model desc, e.occurred_at desc
    limit 1
) l
order by c.calls desc, m.model
