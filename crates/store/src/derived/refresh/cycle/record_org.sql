-- derived::refresh::cycle::record_org
insert into board_state (org_id, today, windows, as_of)
select $1, $2, coalesce(array_agg(days order by days), '{}'), $3 from board_windows
on conflict (org_id) do update
set today = excluded.today, windows = excluded.windows, as_of = excluded.as_of, last_error = null, last_error_at = null
