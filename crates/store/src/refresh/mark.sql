-- refresh::mark
insert into pending_scores (org_id, upload_id) values ($1, $2)
