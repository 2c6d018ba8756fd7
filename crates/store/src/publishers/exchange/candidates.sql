-- publishers::exchange::candidates
-- The publishers that trust a repository, looked up before the org is known, as for signing in. Names of repositories
-- are case-insensitive.
select p.org_id, p.publisher_id, p.member_id, p.owner_id, p.workflow, p.environment, p.provider
from trusted_publishers p
join orgs o on o.org_id = p.org_id
where p.issuer = $1 and lower(p.repository) = lower($2) and ($3::text is null or o.slug = $3)
order by p.org_id, p.publisher_id
