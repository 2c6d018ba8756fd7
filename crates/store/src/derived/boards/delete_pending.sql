-- derived::boards::count (delete pending)
-- In a snapshot, so exactly the rows that were counted.
delete from pending_changes where org_id = $1
