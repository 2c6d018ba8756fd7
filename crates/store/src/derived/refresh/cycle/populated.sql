-- derived::refresh::cycle::refresh_scores (populated)
select relispopulated from pg_class where oid = 'tool_scores'::regclass
