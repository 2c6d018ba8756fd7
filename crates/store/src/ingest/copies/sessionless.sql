-- ingest::copies::mark (without a session)
-- Which of these calls, which name no session, another member than $2 has uploaded without one. The range of uuids in
-- their order keeps to usage_events_sessionless_idx.
select coalesce(array_agg(b.call), '{}') as calls
from unnest($2::bigint[], $3::text[] collate "C", $4::text[] collate "C", $5::integer[])
    as b (member_id, uuid, tool_id, call)
cross join lateral (
    select
    from usage_events e
    where e.org_id = $1 and e.session_id is null and e.uuid >= b.uuid and e.uuid <= b.uuid
        and e.member_id <> b.member_id and e.tool_id = b.tool_id and not e.already_counted
    order by e.uuid
    limit 1
) e
