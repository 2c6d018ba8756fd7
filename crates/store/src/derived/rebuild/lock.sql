-- derived::rebuild::rebuild (lock)
-- The lock of a refresh of the boards.
select pg_advisory_xact_lock(hashtextextended('toolhub.board_scores', 0))
