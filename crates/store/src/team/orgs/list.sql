-- team::orgs::org_list
select o.slug, o.created_at, o.retention_days, count(m.member_id) filter (where m.deactivated_at is null) as members
from orgs o
left join members m on m.org_id = o.org_id
group by o.org_id, o.slug, o.created_at, o.retention_days
order by o.slug
