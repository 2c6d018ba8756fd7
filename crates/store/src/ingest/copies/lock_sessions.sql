-- ingest::copies::lock_sessions
-- The members who have uploaded calls of these sessions, locked until the end of the transaction in the order of the key,
-- which is that of $2: another member's upload of the same session comes before or after this one.
select s.session_id, s.members
from unnest($2::text[] collate "C") as b (session_id)
cross join lateral (
    select s.session_id, s.members
    from sessions s
    where s.org_id = $1 and s.session_id >= b.session_id and s.session_id <= b.session_id
    order by s.session_id
    limit 1
    for no key update
) s
