-- derived::rollup::forget
delete from usage_days where org_id = $1 and member_id = $2
