-- device_logins::device_login_token (confirmed)
-- The token of the session that confirmed the login, while it works.
select t.org_id, t.token_id, t.member_id, t.name, t.scopes, t.expires_at, t.ci
from device_logins d
join api_tokens t on t.org_id = d.confirmed_org and t.token_id = d.confirmed_token
where d.device_hash = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)
