-- What the calls of a board's subject cost in total, and how many of them have a cost.
alter table board_scores
    add column costed bigint not null default 0,
    add column cost_micro_usd bigint not null default 0;

-- The next refresh counts every board anew.
update board_state set windows = '{}';
