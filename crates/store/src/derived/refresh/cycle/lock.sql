-- derived::refresh::cycle::begin (lock)
-- One refresh at a time, in any process. The lock ends with the transaction, also when the process dies.
select pg_try_advisory_xact_lock(hashtextextended('toolhub.' || $1, 0))
