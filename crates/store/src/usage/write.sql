-- usage::write
-- Stores responses of a member, new ones and those of which more is known now.
insert into session_usage (
    org_id, response_key, member_id, occurred_at, session_id, project, model, cost_micro_usd, vendor_cost,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, already_counted
)
select
    $1, b.response_key, $2, b.occurred_at, b.session_id, b.project, b.model, b.cost_micro_usd, b.vendor_cost,
    b.input_tokens, b.output_tokens, b.cache_read_tokens, b.cache_write_tokens, b.already_counted
from unnest(
    $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::boolean[], $10::integer[],
    $11::integer[], $12::integer[], $13::integer[], $14::boolean[]
) as b (
    response_key, occurred_at, session_id, project, model, cost_micro_usd, vendor_cost, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, already_counted
)
order by b.response_key
on conflict (org_id, response_key, member_id) do update
set
    occurred_at = excluded.occurred_at,
    session_id = excluded.session_id,
    project = excluded.project,
    model = excluded.model,
    cost_micro_usd = excluded.cost_micro_usd,
    vendor_cost = excluded.vendor_cost,
    input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens,
    cache_read_tokens = excluded.cache_read_tokens,
    cache_write_tokens = excluded.cache_write_tokens
