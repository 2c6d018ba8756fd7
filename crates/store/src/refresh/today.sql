-- refresh::refresh_once (today)
-- The day on which the windows end; the views read it from here.
update score_refresh set today = $1 where view_name = 'board_scores'
