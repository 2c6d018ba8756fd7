-- usage::stored
-- What is stored of responses, of all members of the org. $2: the keys.
select
    u.response_key, u.member_id, u.occurred_at, u.session_id, u.project, u.model, u.cost_micro_usd, u.vendor_cost,
    u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_tokens, u.already_counted
from unnest($2::uuid[]) as b (response_key)
cross join lateral (
    select *
    from session_usage u
    where u.org_id = $1 and u.response_key >= b.response_key and u.response_key <= b.response_key
    order by u.response_key
) u
