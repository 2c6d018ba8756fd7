-- team::tokens::token_list
-- Newest first; the cursor is the key of the last row of the page before.
select
    t.token_id, m.handle, t.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, u.last_used_at, t.ci
from api_tokens t
join members m on m.org_id = t.org_id and m.member_id = t.member_id
left join token_uses u on u.org_id = t.org_id and u.token_id = t.token_id
where t.org_id = $1
    and ($2::text is null or m.handle = $2)
    and ($3::uuid is null or t.token_id = $3)
    and ($4::timestamptz is null or (t.revoked_at is null and (t.expires_at is null or t.expires_at > $4)))
    and ($5::timestamptz is null or (t.created_at, t.token_id) < ($5, $6::uuid))
order by t.created_at desc, t.token_id desc
limit $7
