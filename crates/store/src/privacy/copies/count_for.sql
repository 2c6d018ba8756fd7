-- privacy::copies::count_for
-- The calls of member $2 that the org counted for a member whose events are gone now count for member $2, unless a third
-- member has them, too. Queues what the boards get. Returns the first and the last of their days.
with copied as materialized (
    select e.uuid, e.tool_id, e.session_id
    from (
        select distinct day from usage_days where org_id = $1 and member_id = $2 and already_counted
    ) d
    cross join lateral (
        select *
        from usage_events e
        where e.org_id = $1 and e.member_id = $2 and e.already_counted
            and e.occurred_at >= d.day::timestamp at time zone 'UTC'
            and e.occurred_at < (d.day + 1)::timestamp at time zone 'UTC'
        offset 0
    ) e
),
alone as materialized (
    select c.uuid
    from copied c
    where not exists (
        select
        from sessions s
        cross join unnest(s.members) as o (member_id)
        join usage_events x on x.org_id = $1 and x.member_id = o.member_id and x.uuid = c.uuid
        where s.org_id = $1 and s.session_id = c.session_id and o.member_id <> $2
            and x.tool_id = c.tool_id and not x.already_counted
    ) and (
        c.session_id is not null
        or not exists (
            select
            from usage_events x
            where x.org_id = $1 and x.session_id is null and x.uuid = c.uuid and x.member_id <> $2
                and x.tool_id = c.tool_id and not x.already_counted
        )
    )
),
counted as (
    update usage_events e
    set already_counted = false
    from alone a
    where e.org_id = $1 and e.member_id = $2 and e.uuid = a.uuid
    returning e.tool_id, e.project, e.duration_ms, (e.occurred_at at time zone 'UTC')::date as day
),
queued as (
    insert into pending_changes (org_id, change_id, board, subject, day, added)
    select $1, $3, 'tools', tool_id, day, array_agg(duration_ms) filter (where duration_ms is not null)
    from counted
    group by tool_id, day
    union all
    select distinct $1, $3::uuid, 'projects', project, day, null::bigint[] from counted where project <> ''
    union all
    select distinct $1, $3::uuid, 'already_counted', '', day, null::bigint[] from counted
    returning board
)
select min(day) as first_day, max(day) as last_day from counted
