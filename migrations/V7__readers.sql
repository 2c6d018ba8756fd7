-- Reading for BI tools: database roles that see one org and nothing of a person.
--
-- A role made by `toolhub admin reader create` is bound to its org here, by its name, and not by a setting that the
-- role itself could change. Row security is enabled and not forced: the role that owns the tables, as which toolhub
-- runs, is not subject to it and pays nothing for it.

create table org_readers (
    org_id bigint not null,
    role_name text collate "C" not null,
    created_at timestamptz not null,
    constraint org_readers_pkey primary key (org_id, role_name),
    constraint org_readers_org_fkey foreign key (org_id) references orgs (org_id),
    constraint org_readers_role_key unique (role_name)
);

-- The org of the role that logged in: session_user and not current_user, which is the owner of this function. The body
-- is bound when the function is made, so that no search_path can put another table in its place.
create function reader_org() returns bigint
    language sql stable security definer
    return (select org_id from org_readers where role_name = session_user);

alter table orgs enable row level security;
alter table members enable row level security;
alter table api_tokens enable row level security;
alter table token_uses enable row level security;
alter table tools enable row level security;
alter table uploads enable row level security;
alter table usage_events enable row level security;
alter table usage_days enable row level security;
alter table pending_scores enable row level security;
alter table session_tools enable row level security;
alter table machine_tools enable row level security;
alter table audit_log enable row level security;
alter table trusted_publishers enable row level security;
alter table org_readers enable row level security;

-- The function stands in a subquery, so that it is asked once and not for each row. Tables without a policy show a
-- reader nothing at all.
create policy readers on orgs for select using (org_id = (select reader_org()));
create policy readers on members for select using (org_id = (select reader_org()));
create policy readers on tools for select using (org_id = (select reader_org()));
create policy readers on uploads for select using (org_id = (select reader_org()));
create policy readers on usage_events for select using (org_id = (select reader_org()));
create policy readers on usage_days for select using (org_id = (select reader_org()));
create policy readers on session_tools for select using (org_id = (select reader_org()));
create policy readers on machine_tools for select using (org_id = (select reader_org()));

-- A materialized view knows no row security: readers have no grant on tool_scores, only on this. The barrier keeps a
-- reader's own functions from seeing a row before it is filtered.
create view reader_scores with (security_barrier) as
select
    tool_id, kind, events, successes, failures, abandoned, unknown, success_rate, decided_rate, wilson_low,
    avg_cost_usd, median_duration_ms, members, first_used_at, last_used_at
from tool_scores
where org_id = (select reader_org());
