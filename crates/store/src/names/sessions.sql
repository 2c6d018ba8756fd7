-- names::candidates (sessions)
-- The session $2 if the org has events of it, and the next three whose ids begin with it.
with recursive next (name) as (
    (select session_id from usage_events where org_id = $1 and session_id >= $2 order by session_id limit 1)
    union all
    select (
        select e.session_id from usage_events e
        where e.org_id = $1 and e.session_id > n.name order by e.session_id limit 1
    )
    from next n
    where starts_with(n.name, $2)
)
select name
from (select name from next limit 4) names
where starts_with(name, $2)
