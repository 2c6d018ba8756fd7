-- ingest::copies::lock_sessions (join)
-- The sessions are locked. Their order does not matter, and their key is a range as in ingest/upgrade.sql.
update sessions s
set members = s.members || b.members
from (
    select b.session_id, array_agg(b.member_id order by b.nth) as members
    from unnest($2::text[] collate "C", $3::bigint[]) with ordinality as b (session_id, member_id, nth)
    group by b.session_id
) b
where s.org_id = $1 and s.session_id >= b.session_id and s.session_id <= b.session_id
