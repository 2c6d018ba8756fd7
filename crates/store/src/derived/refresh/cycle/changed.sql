-- derived::refresh::cycle::refresh_scores (changed)
-- What this transaction has changed in the view so far.
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
from pg_stat_xact_all_tables
where relid = 'tool_scores'::regclass
