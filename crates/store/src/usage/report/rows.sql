-- usage::report::usage (rows)
-- What responses used, by model, member, project or day. $2: by; $3 and $4: the first and last day; $5: offset; $6: limit;
-- $7: member; $8: project; $9: model. Responses that the org counts for another member are left out, unless it is about
-- members.
select
    d.subject, d.responses, d.costed, d.cost_micro_usd, d.input_tokens, d.output_tokens, d.cache_read_tokens,
    d.cache_write_tokens
from (
    select
        s.subject, sum(d.responses)::bigint as responses, sum(d.costed)::bigint as costed,
        least(sum(d.cost_micro_usd), 9223372036854775807)::bigint as cost_micro_usd,
        sum(d.input_tokens)::bigint as input_tokens, sum(d.output_tokens)::bigint as output_tokens,
        sum(d.cache_read_tokens)::bigint as cache_read_tokens, sum(d.cache_write_tokens)::bigint as cache_write_tokens
    from session_usage_days d
    join orgs o on o.org_id = d.org_id
    join members m on m.org_id = d.org_id and m.member_id = d.member_id
    cross join lateral (
        select
            case $2::text
                when 'model' then d.model
                when 'project' then d.project
                when 'day' then d.day::text
                else board_name(o.show_names, o.board_salt, m.member_id, m.handle)
            end collate "C" as subject
    ) s
    where d.org_id = $1
        and d.day between $3::date and $4::date
        and ($7::bigint is null or d.member_id = $7)
        and ($8::text is null or d.project = $8)
        and ($9::text is null or d.model = $9)
        and ($2::text = 'member' and not m.board_opt_out
            or $2::text <> 'member' and ($7::bigint is not null or not d.already_counted))
    group by 1
) d
order by case when $2::text = 'day' then d.subject end, d.cost_micro_usd desc, d.responses desc, d.subject
offset $5::bigint limit $6::bigint
