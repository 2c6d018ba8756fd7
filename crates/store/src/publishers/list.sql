-- publishers::publisher_list
select
    p.publisher_id, p.provider, p.issuer, p.repository, p.owner_id, p.workflow, p.environment, m.handle, p.created_at,
    p.created_by
from trusted_publishers p
join members m on m.org_id = p.org_id and m.member_id = p.member_id
where p.org_id = $1 and ($2::text is null or (p.repository, p.publisher_id) > ($2, $3::uuid))
order by p.repository, p.publisher_id
limit $4
