-- identity::authenticate (speaker)
-- A second statement that names the org, so that a distributed database asks one node and not all of them.
select o.slug, m.handle, m.kind, m.role, u.last_used_at
from members m
join orgs o on o.org_id = m.org_id
left join token_uses u on u.org_id = m.org_id and u.token_id = $3
where m.org_id = $1 and m.member_id = $2 and m.deactivated_at is null
