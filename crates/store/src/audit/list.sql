-- audit::audit_list
-- Newest first; the cursor is the key of the last row of the page before.
select audit_id, occurred_at, action, actor, token_id, address, subject, details
from audit_log
where org_id = $1
    and ($2::text is null or actor = $2)
    and ($3::text is null or action = $3 or starts_with(action, $3 || '.'))
    and ($4::timestamptz is null or (occurred_at <= $4 and (occurred_at, audit_id) < ($4, $5::uuid)))
order by occurred_at desc, audit_id desc
limit $6
