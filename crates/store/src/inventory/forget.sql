-- inventory::put_machine (forget)
-- A tool that a later report of the machine does not list is no longer installed.
delete from machine_tools
where org_id = $1 and member_id = $2 and machine_id = $3 and observed_at <= $4 and tool_id <> all ($5::text[])
