-- derived::refresh::cycle::snapshot (plan for any org)
-- Citus needs the org of a statement to plan it.
select set_config('plan_cache_mode', 'force_generic_plan', true)
where not exists (select from pg_extension where extname = 'citus')
