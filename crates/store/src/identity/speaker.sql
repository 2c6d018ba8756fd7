-- identity::authenticate (speaker)
-- A second statement that names the org, so that a distributed database queries one node and not all of them. The
-- member is looked up as in ingest/compare.sql.
select o.slug, m.handle, m.kind, m.role, u.last_used_at
from (
    select m.handle, m.kind, m.role, m.deactivated_at
    from members m
    where m.org_id = $1 and m.member_id >= $2 and m.member_id <= $2
    order by m.member_id
    limit 1
) m
join orgs o on o.org_id = $1
left join token_uses u on u.org_id = $1 and u.token_id = $3
where m.deactivated_at is null
