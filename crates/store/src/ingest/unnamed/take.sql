-- ingest::unnamed::take
-- Each is looked up as in ingest/compare.sql, and deleted where it was found: both plans are the same whatever the
-- statistics are.
with waiting as materialized (
    select u.*
    from unnest($2::bigint[], $3::text[]) as b (member_id, uuid)
    cross join lateral (
        select
            u.ctid as place, u.member_id, u.uuid, u.occurred_at, u.duration_ms, u.outcome, u.reason, u.session_id,
            u.agent, u.agent_version
        from unnamed_calls u
        where u.org_id = $1 and u.member_id = b.member_id and u.uuid >= b.uuid and u.uuid <= b.uuid
        order by u.uuid
        limit 1
    ) u
),
gone as (
    delete from unnamed_calls u
    where u.org_id = $1 and u.ctid = any(array(select place from waiting))
)
select
    member_id, uuid, occurred_at, duration_ms, outcome::text, reason::text, session_id, agent, agent_version
from waiting
