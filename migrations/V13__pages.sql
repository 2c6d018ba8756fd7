-- Signing in to the pages. A browser holds a secret in a cookie, in the place of a token.

-- Of a secret only the SHA-256 is kept. The hash alone is unique, because a request with a cookie knows no org yet. A
-- session speaks for the token that it came from, and ends with it.
create table page_sessions (
    org_id bigint not null,
    page_session_id uuid not null,
    secret_hash bytea not null,
    member_id bigint not null,
    token_id uuid not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint page_sessions_pkey primary key (org_id, page_session_id),
    constraint page_sessions_token_fkey foreign key (org_id, token_id) references api_tokens (org_id, token_id)
        on delete cascade,
    constraint page_sessions_hash_key unique (secret_hash),
    constraint page_sessions_hash_check check (octet_length(secret_hash) = 32)
);

create index page_sessions_member_idx on page_sessions (org_id, member_id);
create index page_sessions_token_idx on page_sessions (org_id, token_id);

-- Addresses that sign a browser in: each works once, and for minutes. Who follows one gets a session of the token.
create table page_links (
    org_id bigint not null,
    page_link_id uuid not null,
    secret_hash bytea not null,
    token_id uuid not null,
    expires_at timestamptz not null,
    constraint page_links_pkey primary key (org_id, page_link_id),
    constraint page_links_token_fkey foreign key (org_id, token_id) references api_tokens (org_id, token_id)
        on delete cascade,
    constraint page_links_hash_key unique (secret_hash),
    constraint page_links_hash_check check (octet_length(secret_hash) = 32)
);

create index page_links_token_idx on page_links (org_id, token_id);

alter table page_sessions enable row level security;
alter table page_links enable row level security;
