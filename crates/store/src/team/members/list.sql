-- team::members::member_list
-- One member, or all from the cursor on.
select
    m.handle, m.kind, m.role, m.created_at, m.deactivated_at,
    (
        select count(*)
        from api_tokens t
        where t.org_id = $1 and t.member_id = m.member_id and t.revoked_at is null
            and (t.expires_at is null or t.expires_at > $2)
    ) as tokens,
    (
        select max(u.last_used_at)
        from api_tokens t
        join token_uses u on u.org_id = t.org_id and u.token_id = t.token_id
        where t.org_id = $1 and t.member_id = m.member_id
    ) as last_seen_at
from members m
where m.org_id = $1
    and ($3::text is null or m.handle = $3)
    and ($4::boolean is null or (m.deactivated_at is null) = $4)
    and ($5::text is null or m.handle > $5)
order by m.handle
limit $6
