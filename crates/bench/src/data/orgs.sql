-- Further orgs with the same members and events.
insert into orgs (slug, created_at)
select 'org-' || n, now()
from generate_series(2, {orgs}) n;

insert into members (org_id, handle, kind, role, created_at)
select o.org_id, m.handle, m.kind, m.role, m.created_at
from orgs o
cross join members m
where m.org_id = {org} and o.org_id <> {org};

insert into usage_events (
    org_id, member_id, occurred_at, received_at, duration_ms, cost_micro_usd, outcome, reason, source, upload_id,
    uuid, tool_id, operation, session_id, project, model, agent, agent_version, git_branch, task_text
)
select
    m.org_id, m.member_id, e.occurred_at, e.received_at, e.duration_ms, e.cost_micro_usd, e.outcome, e.reason, e.source,
    e.upload_id, e.uuid, e.tool_id, e.operation, e.session_id, e.project, e.model, e.agent, e.agent_version,
    e.git_branch, e.task_text
from usage_events e
join members b on b.member_id = e.member_id
join members m on m.handle = b.handle and m.org_id <> b.org_id
where e.org_id = {org}
