-- What ran inside a call that started an agent cost: the responses of that agent and of those that it started.
alter table usage_events add column run_cost_micro_usd bigint;
alter table usage_days add column run_cost_micro_usd bigint not null default 0;
alter table usage_totals add column run_cost_micro_usd bigint not null default 0;
alter table board_days add column run_cost_micro_usd bigint not null default 0;
alter table board_scores add column run_cost_micro_usd bigint not null default 0;
