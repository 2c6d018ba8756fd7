-- usage::days::count_for_others
-- Lets the org count the responses of which the counted copy is gone, for the first member who has one still.
with uncounted as (
    select distinct on (u.response_key) u.response_key, u.member_id
    from session_usage u
    where u.org_id = $1
        and u.already_counted
        and not exists (
            select
            from session_usage c
            where c.org_id = $1 and c.response_key = u.response_key and not c.already_counted
        )
    order by u.response_key, u.member_id
),
changed as (
    update session_usage u
    set already_counted = false
    from uncounted n
    where u.org_id = $1 and u.response_key = n.response_key and u.member_id = n.member_id
    returning u.member_id
)
select distinct member_id from changed order by member_id
