-- derived::rollup::forget_totals
delete from usage_totals where org_id = $1 and member_id = $2
