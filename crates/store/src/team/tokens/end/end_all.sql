-- team::tokens::end::end_all
update api_tokens t
set revoked_at = $4
from members m
where t.org_id = $1 and m.org_id = t.org_id and m.member_id = t.member_id
    and (t.member_id = $2::bigint or t.publisher_id = $3::uuid)
    and ($5::text is null or t.name = $5)
    and t.revoked_at is null and (t.expires_at is null or t.expires_at > $4)
returning t.token_id, t.name, m.member_id, m.handle
