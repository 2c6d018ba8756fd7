-- overview::overview (unnamed)
select count(*) from (select from unnamed_calls where org_id = $1 limit 10000) u
