-- ingest::unnamed::take
delete from unnamed_calls u
using unnest($2::bigint[], $3::text[]) as b (member_id, uuid)
where u.org_id = $1 and (u.member_id, u.uuid) >= (b.member_id, b.uuid) and (u.member_id, u.uuid) <= (b.member_id, b.uuid)
returning
    u.member_id, u.uuid, u.occurred_at, u.duration_ms, u.outcome::text, u.reason::text, u.session_id, u.agent,
    u.agent_version
