-- team::members::member_change
update members
set
    handle = coalesce($3, handle),
    role = coalesce($4, role),
    deactivated_at = case when $5 then null when not $5 then coalesce(deactivated_at, $6) else deactivated_at end
where org_id = $1 and member_id = $2
returning member_id
