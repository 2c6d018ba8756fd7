-- device_logins::device_login_token (poll)
-- Who asks before the interval is over is told to slow down, and has to wait longer from then on.
update device_logins d
set polled_at = $2,
    interval_seconds = case
        when b.is_early then least(d.interval_seconds + 5, 60)
        else d.interval_seconds
    end
from (
    select
        device_hash,
        coalesce(polled_at + make_interval(secs => interval_seconds) > $2, false) as is_early
    from device_logins
    where device_hash = $1 and expires_at > $2
    for update
) b
where d.device_hash = b.device_hash
returning b.is_early, d.denied, d.confirmed_token is not null as is_confirmed
