-- names::candidates (projects)
-- The project $2 if the org has events in it, its neighbors in the order of names, and the first ones: the index is read
-- once per name, however many days a project has.
with recursive after (name) as (
    (select project from usage_days where org_id = $1 and project >= $2 and project <> '' order by project limit 1)
    union all
    select (select d.project from usage_days d where d.org_id = $1 and d.project > a.name order by d.project limit 1)
    from after a
    where a.name is not null
),
before (name) as (
    (select project from usage_days where org_id = $1 and project < $2 and project <> '' order by project desc limit 1)
    union all
    select (
        select d.project from usage_days d
        where d.org_id = $1 and d.project < b.name and d.project <> '' order by d.project desc limit 1
    )
    from before b
    where b.name is not null
),
first (name) as (
    (select project from usage_days where org_id = $1 and project > '' order by project limit 1)
    union all
    select (select d.project from usage_days d where d.org_id = $1 and d.project > f.name order by d.project limit 1)
    from first f
    where f.name is not null
)
select name
from (
    (select name from after limit 100) union (select name from before limit 100) union (select name from first limit 300)
) names
where name is not null
