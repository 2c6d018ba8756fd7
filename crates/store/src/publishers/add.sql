-- publishers::publisher_add
insert into trusted_publishers (
    org_id, publisher_id, provider, issuer, repository, owner_id, workflow, environment, member_id, created_at,
    created_by
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict on constraint trusted_publishers_key do nothing
