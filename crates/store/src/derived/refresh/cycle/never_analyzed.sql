-- derived::refresh::cycle::analyze_new_tables
-- Tables with rows and without statistics: reltuples is -1 until the first analyze.
select oid::regclass::text
from pg_class
where oid in (
        'usage_events'::regclass, 'usage_days'::regclass, 'usage_totals'::regclass, 'tools'::regclass,
        'board_days'::regclass, 'board_scores'::regclass, 'session_tools'::regclass
    )
    and reltuples < 0
    and pg_relation_size(oid) > 0
