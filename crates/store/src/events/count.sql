-- events::count
select count(*) from usage_events where org_id = $1 and ($2::text is null or tool_id = $2)
