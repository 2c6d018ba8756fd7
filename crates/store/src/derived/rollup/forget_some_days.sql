-- derived::rollup::recount_days (forget)
delete from usage_days where org_id = $1 and member_id = $2 and day = any ($3::date[])
