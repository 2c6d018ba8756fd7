-- The merge rule of an event: model::Event::merge, for a stored event and a later report of the same call of the same
-- tool. A stored event is outdated when the rule makes another event of it.
--
-- The collations are those of usage_events: where the types of the arguments match exactly, the planner inlines the
-- function and builds no composite value at run time.
create type event_facts as (
    outcome event_outcome,
    reason event_reason,
    duration_ms bigint,
    cost_micro_usd bigint,
    operation text collate "C",
    session_id text collate "C",
    project text collate "C",
    model text collate "C",
    agent text collate "C",
    agent_version text collate "C",
    git_branch text collate "C",
    task_text text
);

-- The comparison of the ranks is repeated because a function with a subquery is not inlined.
create function merge_event(stored event_facts, later event_facts) returns event_facts
    language sql immutable parallel safe
    return row(
        case
            when verdict_rank((later).outcome, (later).reason) > verdict_rank((stored).outcome, (stored).reason)
                then (later).outcome
            else (stored).outcome
        end,
        case
            when verdict_rank((later).outcome, (later).reason) > verdict_rank((stored).outcome, (stored).reason)
                then (later).reason
            else (stored).reason
        end,
        coalesce((stored).duration_ms, (later).duration_ms),
        greatest((stored).cost_micro_usd, (later).cost_micro_usd),
        coalesce((stored).operation, (later).operation),
        coalesce((stored).session_id, (later).session_id),
        coalesce((stored).project, (later).project),
        coalesce((stored).model, (later).model),
        coalesce((stored).agent, (later).agent),
        coalesce((stored).agent_version, (later).agent_version),
        coalesce((stored).git_branch, (later).git_branch),
        coalesce((stored).task_text, (later).task_text)
    )::event_facts;
