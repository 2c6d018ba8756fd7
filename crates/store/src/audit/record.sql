-- audit::record
insert into audit_log (
    org_id, audit_id, occurred_at, action, actor_id, actor, token_id, address, subject_id, subject, details
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
