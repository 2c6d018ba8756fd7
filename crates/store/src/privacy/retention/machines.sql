-- privacy::retention::delete_others (machines)
with gone as (
    delete from machine_tools
    where org_id = $1
        and (member_id, machine_id, tool_id) in (
            select member_id, machine_id, tool_id
            from machine_tools
            where org_id = $1 and observed_at < $2
            limit 5000
        )
    returning tool_id
)
select count(*) from gone
