-- usage::days::recount (insert)
-- Counts the days of a member from the responses.
insert into session_usage_days (
    org_id, member_id, day, model, project, already_counted, responses, costed, cost_micro_usd, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens
)
select
    u.org_id, u.member_id, (u.occurred_at at time zone 'UTC')::date, coalesce(u.model, ''), coalesce(u.project, ''),
    u.already_counted, count(*), count(u.cost_micro_usd), coalesce(sum(u.cost_micro_usd), 0)::bigint,
    sum(u.input_tokens), sum(u.output_tokens), sum(u.cache_read_tokens), sum(u.cache_write_tokens)
from session_usage u
where u.org_id = $1 and u.member_id = $2
group by 1, 2, 3, 4, 5, 6
