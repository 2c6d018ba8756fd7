-- prices::uncosted_models
-- One step of the index for each model, however many events it has.
with recursive models as (
    (
        select e.model
        from usage_events e
        where e.org_id = $1 and e.cost_micro_usd is null and e.model is not null
        order by e.model
        limit 1
    )
    union all
    select n.model
    from models m
    cross join lateral (
        select e.model
        from usage_events e
        where e.org_id = $1 and e.cost_micro_usd is null and e.model > m.model
        order by e.model
        limit 1
    ) n
)
select model from models limit $2
