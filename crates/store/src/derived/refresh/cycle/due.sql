-- derived::refresh::cycle::boards (due)
-- The orgs with something pending, and some of those whose windows end on another day than $1 or are others now. An
-- org whose refresh has failed is tried once a minute.
with pending as (
    select distinct org_id from pending_changes
),
outdated as (
    select s.org_id
    from board_state s
    where (
            s.today <> $1::date
            or s.windows <> (select coalesce(array_agg(days order by days), '{}') from board_windows)
        )
        and s.org_id not in (select org_id from pending)
        and (s.last_error_at is null or s.last_error_at < clock_timestamp() - interval '1 minute')
    order by s.org_id
    limit $2
)
select p.org_id, true as is_pending
from pending p
left join board_state s on s.org_id = p.org_id
where s.last_error_at is null or s.last_error_at < clock_timestamp() - interval '1 minute'
union all
select org_id, false from outdated
order by is_pending desc
