-- tool_detail::read_detail (durations)
-- The index of the tool's events, newest first, holds all that this needs.
select percentile_cont(array[0.5, 0.9, 0.99]) within group (order by duration_ms)
from usage_events
where org_id = $1
    and tool_id = $2
    and duration_ms is not null
    and not already_counted
    and ($3::timestamptz is null or occurred_at >= $3)
