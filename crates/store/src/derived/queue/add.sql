-- derived::queue::write (add)
-- $6 and $7 hold the durations of each change as the text of an array, because arrays of arrays cannot differ in length.
insert into pending_changes (org_id, change_id, board, subject, day, added, removed)
select $1, $2, b.board, b.subject, b.day, nullif(b.added, '{}')::bigint[], nullif(b.removed, '{}')::bigint[]
from unnest($3::text[], $4::text[], $5::date[], $6::text[], $7::text[])
    as b (board, subject, day, added, removed)
