-- names::candidates (actors)
-- The actor $2 if the audit log has an entry of them, and the members: for callers who may list both.
(select actor as name from audit_log where org_id = $1 and actor = $2 limit 1)
union
(select handle from members where org_id = $1 order by handle limit 2000)
union
(select 'operator')
