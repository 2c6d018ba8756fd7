-- usage::report::usage (unpriced)
-- The models of which responses of a period have no cost. Parameters as in usage::report::totals_of.
select d.model, sum(d.responses - d.costed)::bigint as responses
from session_usage_days d
where d.org_id = $1
    and d.day between $2::date and $3::date
    and ($4::bigint is null or d.member_id = $4)
    and ($5::text is null or d.project = $5)
    and ($6::text is null or d.model = $6)
    and ($4::bigint is not null or not d.already_counted)
    and d.responses > d.costed
group by d.model
order by responses desc, d.model
limit 100
