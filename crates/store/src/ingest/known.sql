-- ingest::mostly_known
-- How many of a few events are stored.
select count(*)
from unnest($2::bigint[], $3::text[]) as b (member_id, uuid)
where exists (select from usage_events e where e.org_id = $1 and e.member_id = b.member_id and e.uuid = b.uuid offset 0)
