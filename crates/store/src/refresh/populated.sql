-- refresh::refresh_relation
select relispopulated from pg_class where oid = $1::text::regclass
