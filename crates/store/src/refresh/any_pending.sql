-- refresh::any_pending
select exists (select from pending_scores)
