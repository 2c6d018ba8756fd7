-- derived::rollup::forget_days
-- The days of a member from $3 to $4, or all.
delete from usage_days
where org_id = $1 and member_id = $2
    and day >= coalesce($3::date, '-infinity') and day <= coalesce($4::date, 'infinity')
