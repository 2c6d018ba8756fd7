-- refresh::refresh_once (lock)
-- One refresh of a view at a time, whichever process asks; gone with the transaction, whatever becomes of the process.
select pg_try_advisory_xact_lock(hashtextextended('toolhub.' || $1, 0))
