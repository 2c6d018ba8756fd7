-- identity::authenticate (token)
select org_id, token_id, member_id, name, scopes, expires_at, ci
from api_tokens
where token_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
