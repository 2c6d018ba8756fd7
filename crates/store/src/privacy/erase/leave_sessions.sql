-- privacy::erase::lock_others (leave sessions)
-- Locks the member's sessions, so that another member's upload of one of them waits and sees that the events are gone.
update sessions
set members = array_remove(members, $2)
where org_id = $1 and $2 = any (members)
