-- usage::days::write (drop empty)
-- Deletes the days of a member that count no response any more.
delete from session_usage_days
where org_id = $1 and member_id = $2 and day = any($3) and responses = 0
