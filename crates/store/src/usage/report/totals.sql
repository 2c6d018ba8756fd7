-- usage::report::totals_of
-- What the responses of a period used, by whether their model has a price. $2 and $3: the first and last day; $4: member;
-- $5: project; $6: model.
select
    coalesce(sum(d.responses), 0)::bigint as responses, coalesce(sum(d.costed), 0)::bigint as costed,
    least(coalesce(sum(d.cost_micro_usd), 0), 9223372036854775807)::bigint as cost_micro_usd,
    coalesce(sum(d.input_tokens), 0)::bigint as input_tokens,
    coalesce(sum(d.output_tokens), 0)::bigint as output_tokens,
    coalesce(sum(d.cache_read_tokens), 0)::bigint as cache_read_tokens,
    coalesce(sum(d.cache_write_tokens), 0)::bigint as cache_write_tokens
from session_usage_days d
where d.org_id = $1
    and d.day between $2::date and $3::date
    and ($4::bigint is null or d.member_id = $4)
    and ($5::text is null or d.project = $5)
    and ($6::text is null or d.model = $6)
    and ($4::bigint is not null or not d.already_counted)
