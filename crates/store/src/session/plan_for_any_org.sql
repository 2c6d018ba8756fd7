-- session::plan_for_any_org
-- Citus needs the org of a statement to plan it, and plans for it on the node that has the org.
select set_config('plan_cache_mode', 'force_generic_plan', true)
where not exists (select from pg_extension where extname = 'citus')
