-- refresh::delete_pending
delete from pending_scores
