-- privacy::retention::delete_others (uploads)
with gone as (
    delete from uploads
    where org_id = $1
        and upload_id in (select upload_id from uploads where org_id = $1 and received_at < $2 limit 5000)
    returning upload_id
)
select count(*) from gone
