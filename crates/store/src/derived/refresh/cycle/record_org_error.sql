-- derived::refresh::cycle::record_org_error
insert into board_state (org_id, today, windows, last_error, last_error_at)
values ($1, $2, '{}', $3, clock_timestamp())
on conflict (org_id) do update
set last_error = excluded.last_error, last_error_at = excluded.last_error_at
