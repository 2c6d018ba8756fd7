-- ingest::copies::lock_sessions (add)
insert into sessions (org_id, session_id, first_seen_at, members)
select $1, b.session_id, $2, array[b.member_id]
from unnest($3::text[], $4::bigint[]) as b (session_id, member_id)
order by b.session_id collate "C"
on conflict (org_id, session_id) do nothing
