-- Windows of days: the daily rollup, and whose name a board may show.

-- What a member called on a day: one row per member, UTC day, tool and project, written in the transaction of the
-- ingest. The member stands before the day, so that two members never wait for each other's row. project is '' for
-- events without one, because a key cannot hold null; an event's own project is never empty.
--
-- Counts fit an integer: nobody makes two thousand million calls a day. No check forbids negative counts, because an
-- insert that meets its row carries a difference.
create table usage_days (
    org_id bigint not null,
    member_id bigint not null,
    day date not null,
    events integer not null,
    successes integer not null,
    failures integer not null,
    abandoned integer not null,
    unknown integer not null,
    costed integer not null,
    cost_micro_usd bigint not null,
    first_used_at timestamptz not null,
    last_used_at timestamptz not null,
    tool_id text collate "C" not null,
    project text collate "C" not null,
    constraint usage_days_pkey primary key (org_id, member_id, day, tool_id, project)
) with (
    -- A day's row is updated by each upload of that day: room on its page keeps the indexes out of it.
    fillfactor = 80,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

insert into usage_days (
    org_id, member_id, day, tool_id, project, events, successes, failures, abandoned, unknown, costed, cost_micro_usd,
    first_used_at, last_used_at
)
select
    org_id, member_id, (occurred_at at time zone 'UTC')::date, tool_id, coalesce(project, ''), count(*),
    count(*) filter (where outcome = 'success'), count(*) filter (where outcome = 'failure'),
    count(*) filter (where outcome = 'abandoned'), count(*) filter (where outcome = 'unknown'),
    count(cost_micro_usd), coalesce(sum(cost_micro_usd), 0)::bigint, min(occurred_at), max(occurred_at)
from usage_events
group by 1, 2, 3, 4, 5;

-- Whether the board of members shows names; if not, each member gets a pseudonym that stays the same. The salt keeps
-- pseudonyms from being guessed by trying all members.
alter table orgs add column show_names boolean not null default true;
alter table orgs add column board_salt uuid not null default gen_random_uuid();

-- A member may stay off the board.
alter table members add column board_opt_out boolean not null default false;
