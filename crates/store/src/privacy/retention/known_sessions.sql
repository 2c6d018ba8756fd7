-- privacy::retention::delete_others (known sessions)
-- Sessions that no event is left of.
with gone as (
    delete from sessions
    where org_id = $1
        and session_id in (
            select s.session_id
            from sessions s
            where s.org_id = $1 and s.first_seen_at < $2
                and not exists (
                    select from usage_events e where e.org_id = $1 and e.session_id = s.session_id
                )
            limit 5000
        )
    returning session_id
)
select count(*) from gone
