-- page_sessions::page_link_take
-- Deletes and reads in one statement, so that of two browsers that follow a link at the same time one is signed in.
with taken as (
    delete from page_links where secret_hash = $1
    returning org_id, token_id, expires_at
)
select t.org_id, t.token_id, t.member_id, t.name, t.scopes, t.expires_at, t.ci
from taken l
join api_tokens t on t.org_id = l.org_id and t.token_id = l.token_id
where l.expires_at > $2 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)
