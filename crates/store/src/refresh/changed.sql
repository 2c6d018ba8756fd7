-- refresh::refresh_once (changed)
-- What this transaction has changed in the views so far.
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
from pg_stat_xact_all_tables
where relid in ('tool_scores'::regclass, 'board_scores'::regclass, 'loaded_tools'::regclass)
