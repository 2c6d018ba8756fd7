-- Prices of an org's own, and how to find what has no cost.

-- One row for each org, because they are read and replaced as a whole: a list of at most 200 prices, in the form of
-- the API.
create table org_prices (
    org_id bigint not null,
    entries jsonb not null,
    changed_at timestamptz not null,
    constraint org_prices_pkey primary key (org_id),
    constraint org_prices_org_fkey foreign key (org_id) references orgs (org_id)
);

alter table org_prices enable row level security;

-- The models of events without a cost, each with its calls and times. Events with a cost, which are most, are not in
-- it, and one that gets its cost leaves it.
create index usage_events_uncosted_idx on usage_events (org_id, model, occurred_at)
    where cost_micro_usd is null and model is not null;
