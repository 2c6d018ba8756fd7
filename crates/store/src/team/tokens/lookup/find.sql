-- team::tokens::lookup::find_any
select
    m.member_id, m.handle, m.role, t.name, t.scopes, t.created_at, t.expires_at,
    t.revoked_at is null and (t.expires_at is null or t.expires_at > $3) and m.deactivated_at is null as works,
    t.publisher_id is not null as exchanged
from api_tokens t
join members m on m.org_id = t.org_id and m.member_id = t.member_id
where t.org_id = $1 and t.token_id = $2
