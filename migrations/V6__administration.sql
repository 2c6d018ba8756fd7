-- What an org decides, who did what, and how CI comes without a secret.

alter table orgs
    add column task_text_allowed boolean not null default false,
    add column retention_days integer;

alter table orgs add constraint orgs_retention_check check (retention_days between 1 and 36500);

-- The member has deleted their data: events that occurred before are not taken again. A time and not a list of what
-- was deleted: it is exact, because all that was deleted had occurred before, and it keeps nothing of the data.
alter table members add column events_before timestamptz;

-- Where a token came out of the identity of a CI run: the publisher that vouched for it, and the run.
alter table api_tokens
    add column publisher_id uuid,
    add column ci jsonb;

create index api_tokens_member_idx on api_tokens (org_id, member_id);

-- Deactivated and expired tokens are found and removed by their end.
create index api_tokens_expires_idx on api_tokens (expires_at) where publisher_id is not null;

-- Who did what to whom, from where. Rows are only ever added: no statement of toolhub updates or deletes one, and a
-- test holds that. There is no foreign key to members, so that nothing about a member can ever reach into it.
create table audit_log (
    org_id bigint not null,
    audit_id uuid not null,
    occurred_at timestamptz not null,
    action text collate "C" not null,
    actor_id bigint,
    actor text collate "C" not null,
    token_id uuid,
    address inet,
    subject_id bigint,
    subject text collate "C",
    details jsonb not null,
    constraint audit_log_pkey primary key (org_id, audit_id),
    constraint audit_log_org_fkey foreign key (org_id) references orgs (org_id)
);

create index audit_log_recent_idx on audit_log (org_id, occurred_at);

-- CI that an org trusts: runs of this repository, workflow and environment upload as this member. Looked up before
-- the org is known, like api_tokens; therefore no foreign key to members either.
create table trusted_publishers (
    org_id bigint not null,
    publisher_id uuid not null,
    provider text not null,
    issuer text collate "C" not null,
    repository text collate "C" not null,
    owner_id text collate "C" not null,
    workflow text collate "C",
    environment text collate "C",
    member_id bigint not null,
    created_at timestamptz not null,
    created_by text collate "C" not null,
    constraint trusted_publishers_pkey primary key (org_id, publisher_id),
    constraint trusted_publishers_org_fkey foreign key (org_id) references orgs (org_id),
    constraint trusted_publishers_key unique nulls not distinct (org_id, issuer, repository, workflow, environment),
    constraint trusted_publishers_provider_check check (provider in ('github', 'gitlab'))
);

create index trusted_publishers_repository_idx on trusted_publishers (issuer, lower(repository));

-- Identity tokens that were exchanged, until they have expired: each works once. They belong to their issuer and not
-- to an org.
create table oidc_uses (
    issuer text collate "C" not null,
    jti text collate "C" not null,
    expires_at timestamptz not null,
    constraint oidc_uses_pkey primary key (issuer, jti)
);

create index oidc_uses_expires_idx on oidc_uses (expires_at);
