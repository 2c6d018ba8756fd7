-- privacy::retention::delete_others (sessions)
-- Deletes and queues the days for the boards in one statement, which is a transaction.
with gone as (
    delete from session_tools
    where org_id = $1
        and (member_id, session_id, tool_id) in (
            select member_id, session_id, tool_id
            from session_tools
            where org_id = $1 and observed_at < $2
            limit 5000
        )
    returning tool_id, observed_at
),
queued as (
    insert into pending_changes (org_id, change_id, board, subject, day)
    select $1, id.change_id, 'loaded', d.tool_id, d.day
    from (select distinct tool_id, (observed_at at time zone 'UTC')::date as day from gone) d
    cross join (select gen_random_uuid() as change_id offset 0) id
)
select count(*) from gone
