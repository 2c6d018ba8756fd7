-- ingest::record_upload
insert into uploads (
    org_id, upload_id, member_id, received_at, source, client, ci, batch,
    received, inserted, upgraded, duplicate, conflict, rejected, already_counted,
    unnamed, unkeyed
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
