-- device_logins::device_login_start
-- What one address and all of them can leave waiting is bounded, because no token is needed to begin a login.
insert into device_logins
    (device_hash, user_hash, machine, scopes, address, created_at, expires_at, interval_seconds)
select $1, $2, $3, $4, $5, $6, $7, $8
where (select count(*) from (select from device_logins where address = $5 limit $9) of_address) < $9
    and (select count(*) from (select from device_logins limit $10) of_all) < $10
