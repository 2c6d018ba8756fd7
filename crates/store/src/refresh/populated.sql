-- refresh::populated
select relispopulated from pg_class where oid = 'tool_scores'::regclass
