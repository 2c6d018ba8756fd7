-- Logins of the command line that wait for a person to confirm them in a browser.

-- A login belongs to no org until a member has confirmed it, and then to the token of that member's session, with which
-- it ends. Of both codes only the SHA-256 is kept. Rows live for minutes.
create table device_logins (
    device_hash bytea not null,
    user_hash bytea not null,
    machine text collate "C" not null,
    scopes text[] not null,
    address inet,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    interval_seconds integer not null,
    polled_at timestamptz,
    denied boolean not null default false,
    confirmed_org bigint,
    confirmed_token uuid,
    constraint device_logins_pkey primary key (device_hash),
    constraint device_logins_token_fkey foreign key (confirmed_org, confirmed_token)
        references api_tokens (org_id, token_id) on delete cascade,
    constraint device_logins_user_key unique (user_hash),
    constraint device_logins_hash_check check (octet_length(device_hash) = 32 and octet_length(user_hash) = 32)
);

create index device_logins_expires_idx on device_logins (expires_at);
create index device_logins_address_idx on device_logins (address);
create index device_logins_token_idx on device_logins (confirmed_org, confirmed_token);
