-- page_sessions::page_session_identity
select
    t.org_id, t.token_id, t.member_id, t.name, t.scopes, t.expires_at, t.ci,
    s.page_session_id, s.expires_at as session_expires_at
from page_sessions s
join api_tokens t on t.org_id = s.org_id and t.token_id = s.token_id
where s.secret_hash = $1 and s.expires_at > $2
    and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)
