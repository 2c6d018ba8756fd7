-- uploads::upload_list
select
    u.upload_id, m.handle, u.received_at, u.source, u.client, u.ci, u.batch,
    u.received, u.inserted, u.upgraded, u.duplicate, u.conflict, u.rejected, u.already_counted, u.unnamed, u.unkeyed
from uploads u
join members m on m.org_id = u.org_id and m.member_id = u.member_id
where u.org_id = $1
    and ($2::text is null or m.handle = $2)
    and ($3::timestamptz is null or (u.received_at, u.upload_id) < ($3, $4::uuid))
    and ($6::boolean is null or (u.ci is not null) = $6)
    and ($7::text is null or u.ci ->> 'repository' = $7)
    and ($8::text is null or u.ci ->> 'pull_request' = $8)
    and ($9::text is null or u.ci ->> 'run_id' = $9)
order by u.received_at desc, u.upload_id desc
limit $5
