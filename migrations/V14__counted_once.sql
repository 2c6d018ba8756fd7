-- A call that several members of an org upload is counted once for the org, and what is new in an org has a limit a day.

-- The sessions that an org knows, and the members who have uploaded calls of each, the first in front. An upload locks
-- the rows of its sessions, so of two members who upload the same session one sees the calls of the other.
create table sessions (
    org_id bigint not null,
    first_seen_at timestamptz not null,
    session_id text collate "C" not null,
    members bigint[] not null,
    constraint sessions_pkey primary key (org_id, session_id),
    constraint sessions_org_fkey foreign key (org_id) references orgs (org_id)
);

-- Sessions that several members uploaded, for deletions.
create index sessions_shared_idx on sessions (org_id) where cardinality(members) > 1;

create index sessions_first_seen_idx on sessions (org_id, first_seen_at);

insert into sessions (org_id, session_id, first_seen_at, members)
select s.org_id, s.session_id, min(s.received_at), (array_agg(s.member_id order by s.received_at, s.member_id))[1:16]
from (
    select org_id, session_id, member_id, min(received_at) as received_at
    from usage_events
    where session_id is not null
    group by 1, 2, 3
) s
group by 1, 2;

alter table sessions enable row level security;

-- True for a call that another member of the org had uploaded before: the member's own boards count it, those of the
-- org do not.
alter table usage_events add column already_counted boolean not null default false;
alter table usage_days add column already_counted boolean not null default false;
alter table usage_totals add column already_counted boolean not null default false;
alter table uploads add column already_counted integer not null default 0;

-- What other members uploaded of calls without a session.
create index usage_events_sessionless_idx on usage_events (org_id, uuid) where session_id is null;

-- Calls that members had uploaded twice before this version.
with copies as (
    select
        e.org_id, e.member_id, e.uuid,
        row_number() over (
            partition by e.org_id, e.session_id, e.tool_id, e.uuid order by e.received_at, e.member_id
        ) as nth
    from usage_events e
    join sessions s on s.org_id = e.org_id and s.session_id = e.session_id and cardinality(s.members) > 1
    where e.uuid not like '%/%' and e.uuid not like 'positional:%'
)
update usage_events e
set already_counted = true
from copies c
where e.org_id = c.org_id and e.member_id = c.member_id and e.uuid = c.uuid and c.nth > 1;

alter table usage_days drop constraint usage_days_pkey;
alter table usage_days
    add constraint usage_days_pkey primary key (org_id, member_id, day, tool_id, project, already_counted);

-- Which days an org's own figures leave out.
create index usage_days_already_counted_idx on usage_days (org_id, day) where already_counted;

alter table usage_totals drop constraint usage_totals_pkey;
alter table usage_totals
    add constraint usage_totals_pkey primary key (org_id, member_id, tool_id, project, already_counted);

create index usage_totals_already_counted_idx on usage_totals (org_id) where already_counted;

-- The rows of members who have such calls are counted again.
create temporary table recounted on commit drop as
select distinct org_id, member_id from usage_events where already_counted;

delete from usage_days d using recounted r where d.org_id = r.org_id and d.member_id = r.member_id;
delete from usage_totals t using recounted r where t.org_id = r.org_id and t.member_id = r.member_id;

insert into usage_days (
    org_id, member_id, day, tool_id, project, already_counted, events, successes, failures, abandoned, unknown,
    unknown_tool, costed, timed, cost_micro_usd, first_used_at, last_used_at
)
select
    e.org_id, e.member_id, (e.occurred_at at time zone 'UTC')::date, e.tool_id, coalesce(e.project, ''),
    e.already_counted, count(*), count(*) filter (where e.outcome = 'success'),
    count(*) filter (where e.outcome = 'failure'), count(*) filter (where e.outcome = 'abandoned'),
    count(*) filter (where e.outcome = 'unknown'), count(*) filter (where e.reason = 'unknown_tool'),
    count(e.cost_micro_usd), count(e.duration_ms),
    least(coalesce(sum(e.cost_micro_usd), 0), 9223372036854775807)::bigint, min(e.occurred_at), max(e.occurred_at)
from usage_events e
join recounted r on r.org_id = e.org_id and r.member_id = e.member_id
group by 1, 2, 3, 4, 5, 6;

insert into usage_totals (
    org_id, member_id, tool_id, project, already_counted, events, successes, failures, abandoned, unknown,
    unknown_tool, costed, timed, cost_micro_usd, first_used_at, last_used_at
)
select
    d.org_id, d.member_id, d.tool_id, d.project, d.already_counted, sum(d.events), sum(d.successes), sum(d.failures),
    sum(d.abandoned), sum(d.unknown), sum(d.unknown_tool), sum(d.costed), sum(d.timed),
    least(sum(d.cost_micro_usd), 9223372036854775807)::bigint, min(d.first_used_at), max(d.last_used_at)
from usage_days d
join recounted r on r.org_id = d.org_id and r.member_id = d.member_id
group by 1, 2, 3, 4, 5;

-- Their orgs are counted anew by the next refresh.
delete from tool_medians m using recounted r where m.org_id = r.org_id;
update board_state s set windows = '{}' from recounted r where s.org_id = r.org_id;

-- The subjects that a call counts for: its tool, its member, and its project if it has one. One that another member had
-- uploaded before counts for its member alone, and for the board of such calls, which has one subject.
drop function board_subjects(text, bigint, text);

create function board_subjects(tool_id text, member_id bigint, project text, already_counted boolean)
returns table (board text, subject text)
language sql immutable parallel safe
as $$
    select s.board, s.subject
    from (values
        ('members', member_id::text),
        (case when already_counted then 'already_counted' else 'tools' end, case when already_counted then '' else tool_id end),
        ('projects', case when not already_counted and project <> '' then project end)
    ) as s (board, subject)
    where s.subject is not null
$$;

insert into pending_changes (org_id, change_id, board, subject, day)
select distinct d.org_id, '00000000-0000-0000-0000-000000000000'::uuid, s.board, s.subject, d.day
from usage_days d
cross join board_subjects(d.tool_id, d.member_id, d.project, d.already_counted) s
where d.org_id in (select org_id from recounted)
on conflict do nothing;

-- The durations that medians count.
drop index usage_events_durations_idx;
create index usage_events_durations_idx on usage_events (org_id, tool_id, duration_ms, occurred_at)
    where duration_ms is not null and not already_counted;

drop view reader_scores;
drop materialized view tool_scores;

-- As before, without the calls that are counted already.
create materialized view tool_scores as
select
    t.org_id,
    t.tool_id,
    split_part(t.tool_id, ':', 1) as kind,
    t.events,
    t.successes,
    t.failures,
    t.abandoned,
    t.unknown,
    t.successes::double precision / t.events as success_rate,
    t.successes::double precision / nullif(t.successes + t.failures, 0) as decided_rate,
    wilson_low(t.successes, t.successes + t.failures) as wilson_low,
    t.cost_micro_usd::double precision / nullif(t.costed, 0) / 1e6 as avg_cost_usd,
    m.median_duration_ms,
    t.members,
    t.first_used_at,
    t.last_used_at
from (
    select
        org_id,
        tool_id,
        sum(events)::bigint as events,
        sum(successes)::bigint as successes,
        sum(failures)::bigint as failures,
        sum(abandoned)::bigint as abandoned,
        sum(unknown)::bigint as unknown,
        sum(costed)::bigint as costed,
        sum(timed)::bigint as timed,
        sum(cost_micro_usd) as cost_micro_usd,
        count(distinct member_id) as members,
        min(first_used_at) as first_used_at,
        max(last_used_at) as last_used_at
    from usage_totals
    where not already_counted
    group by org_id, tool_id
) t
cross join lateral (
    select percentile_cont(0.5) within group (order by middle.duration_ms) as median_duration_ms
    from (
        select e.duration_ms
        from usage_events e
        where e.org_id = t.org_id and e.tool_id = t.tool_id and e.duration_ms is not null and not e.already_counted
        order by e.duration_ms
        offset greatest(t.timed - 1, 0) / 2
        limit 2 - t.timed % 2
    ) middle
) m;

create unique index tool_scores_key on tool_scores (org_id, tool_id);

create view reader_scores with (security_barrier) as
select
    tool_id, kind, events, successes, failures, abandoned, unknown, success_rate, decided_rate, wilson_low,
    avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at
from tool_scores
where org_id = (select reader_org());

-- How many tools, projects and sessions an org got new in a day, spread over some rows so that uploads of one org at the
-- same time seldom wait for the same one. The limits are the org's; they keep a flood of names from what everybody reads.
create table arrivals (
    org_id bigint not null,
    day date not null,
    slot integer not null,
    tools integer not null,
    projects integer not null,
    sessions integer not null,
    constraint arrivals_pkey primary key (org_id, day, slot),
    constraint arrivals_org_fkey foreign key (org_id) references orgs (org_id)
) with (fillfactor = 50);

alter table arrivals enable row level security;

alter table orgs
    add column new_tools_a_day integer not null default 5000,
    add column new_projects_a_day integer not null default 2000,
    add column new_sessions_a_day integer not null default 200000,
    add constraint orgs_arrivals_check check (new_tools_a_day >= 0 and new_projects_a_day >= 0 and new_sessions_a_day >= 0);

-- What readers had been granted on the view that was replaced, and on the new columns.
do $$
declare
    reader record;
begin
    for reader in select role_name from org_readers loop
        execute format('grant select on reader_scores to %I', reader.role_name);
        execute format('grant select (already_counted) on usage_events, usage_days, uploads to %I', reader.role_name);
        execute format(
            'grant select (new_tools_a_day, new_projects_a_day, new_sessions_a_day) on orgs to %I', reader.role_name
        );
    end loop;
end
$$;
