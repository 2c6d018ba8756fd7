-- usage::days::compare
-- How many days of a member differ from the responses.
with counted as (
    select
        (u.occurred_at at time zone 'UTC')::date as day, coalesce(u.model, '') as model,
        coalesce(u.project, '') as project, u.already_counted, count(*) as responses,
        count(u.cost_micro_usd) as costed, coalesce(sum(u.cost_micro_usd), 0) as cost_micro_usd,
        sum(u.input_tokens) as input_tokens, sum(u.output_tokens) as output_tokens,
        sum(u.cache_read_tokens) as cache_read_tokens, sum(u.cache_write_tokens) as cache_write_tokens
    from session_usage u
    where u.org_id = $1 and u.member_id = $2
    group by 1, 2, 3, 4
),
kept as (
    select *
    from session_usage_days
    where org_id = $1 and member_id = $2
)
select count(*) as differences
from counted c
full join kept k
    on k.day = c.day and k.model = c.model and k.project = c.project and k.already_counted = c.already_counted
where (c.responses, c.costed, c.cost_micro_usd, c.input_tokens, c.output_tokens, c.cache_read_tokens, c.cache_write_tokens)
    is distinct from (
        k.responses, k.costed, k.cost_micro_usd, k.input_tokens, k.output_tokens, k.cache_read_tokens,
        k.cache_write_tokens
    )
