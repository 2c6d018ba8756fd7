-- usage::days::write
-- Adds differences to the days of a member.
insert into session_usage_days (
    org_id, member_id, day, model, project, already_counted, responses, costed, cost_micro_usd, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens
)
select
    $1, $2, b.day, b.model, b.project, b.already_counted, b.responses, b.costed, b.cost_micro_usd, b.input_tokens,
    b.output_tokens, b.cache_read_tokens, b.cache_write_tokens
from unnest(
    $3::date[], $4::text[], $5::text[], $6::boolean[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::bigint[], $12::bigint[], $13::bigint[]
) as b (
    day, model, project, already_counted, responses, costed, cost_micro_usd, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens
)
order by b.day, b.model, b.project, b.already_counted
on conflict (org_id, member_id, day, model, project, already_counted) do update
set
    responses = session_usage_days.responses + excluded.responses,
    costed = session_usage_days.costed + excluded.costed,
    cost_micro_usd = session_usage_days.cost_micro_usd + excluded.cost_micro_usd,
    input_tokens = session_usage_days.input_tokens + excluded.input_tokens,
    output_tokens = session_usage_days.output_tokens + excluded.output_tokens,
    cache_read_tokens = session_usage_days.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = session_usage_days.cache_write_tokens + excluded.cache_write_tokens
