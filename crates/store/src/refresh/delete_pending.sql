-- refresh::refresh_once (delete pending)
delete from pending_scores
