-- derived::boards::medians::follow (forget)
delete from tool_medians where org_id = $1 and (days > 0 or days <> all ($2::integer[]))
