-- derived::rollup::changes::write (drop empty days)
-- Rows whose last event has moved to another row.
delete from usage_days d
using unnest($2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::date[])
    as b (member_id, tool_id, project, already_counted, day)
where d.org_id = $1 and d.member_id = b.member_id and d.day = b.day and d.tool_id = b.tool_id
    and d.project = b.project and d.already_counted = b.already_counted and d.events = 0
