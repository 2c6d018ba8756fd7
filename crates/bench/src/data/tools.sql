-- Every tool that was called or loaded.
insert into tools (org_id, tool_id, kind, first_seen_at)
select org_id, tool_id, split_part(tool_id, ':', 1), min(first_seen_at)
from (
    select org_id, tool_id, first_used_at as first_seen_at from usage_totals
    union all
    select org_id, tool_id, observed_at from session_tools
) seen
group by org_id, tool_id
