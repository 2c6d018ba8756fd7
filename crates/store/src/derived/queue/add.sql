-- derived::queue::write (add)
-- $6 holds the durations of each change as the text of an array, because arrays of arrays cannot differ in length.
insert into pending_changes (org_id, change_id, board, subject, day, added)
select $1, $2, b.board, b.subject, b.day, nullif(b.added, '{}')::bigint[]
from unnest($3::text[], $4::text[], $5::date[], $6::text[]) as b (board, subject, day, added)
