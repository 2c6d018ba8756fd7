-- Who there is: orgs, their members, and the tokens that speak for them.
--
-- org_id is the first column of every primary key. That keeps tenants apart, and lets the same schema be distributed
-- by org_id (Citus) when one machine is not enough. Constraints are named, so that a later migration can name them.

create table orgs (
    org_id bigint generated always as identity,
    slug text collate "C" not null,
    created_at timestamptz not null,
    constraint orgs_pkey primary key (org_id),
    constraint orgs_slug_key unique (slug),
    constraint orgs_slug_check check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$')
);

create table members (
    org_id bigint not null,
    member_id bigint generated always as identity,
    handle text collate "C" not null,
    kind text not null,
    role text not null,
    created_at timestamptz not null,
    deactivated_at timestamptz,
    constraint members_pkey primary key (org_id, member_id),
    constraint members_org_fkey foreign key (org_id) references orgs (org_id),
    constraint members_handle_key unique (org_id, handle),
    constraint members_kind_check check (kind in ('person', 'ci')),
    constraint members_role_check check (role in ('viewer', 'member', 'admin', 'owner'))
);

-- Only the SHA-256 of a token is kept. The hash alone is unique, because signing in knows no org yet; there is no
-- foreign key to members, because this table is read on every node while members is distributed.
create table api_tokens (
    org_id bigint not null,
    token_id uuid not null,
    token_hash bytea not null,
    member_id bigint not null,
    name text not null,
    scopes text[] not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    constraint api_tokens_pkey primary key (org_id, token_id),
    constraint api_tokens_org_fkey foreign key (org_id) references orgs (org_id),
    constraint api_tokens_hash_key unique (token_hash),
    constraint api_tokens_hash_check check (octet_length(token_hash) = 32),
    constraint api_tokens_scopes_check check (scopes <@ array['upload', 'read', 'admin'] and cardinality(scopes) > 0)
);

-- Apart from api_tokens, because it changes with use.
create table token_uses (
    org_id bigint not null,
    token_id uuid not null,
    last_used_at timestamptz not null,
    constraint token_uses_pkey primary key (org_id, token_id)
) with (fillfactor = 70);
