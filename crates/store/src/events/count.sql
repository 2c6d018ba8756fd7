-- events::event_count
select coalesce(sum(events), 0)::bigint
from usage_totals
where org_id = $1 and ($2::text is null or tool_id = $2)
