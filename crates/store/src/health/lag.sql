-- health::lag
-- Of all orgs together, as the refresh is.
select
    extract(epoch from clock_timestamp())::double precision as now,
    (select p.change_id from pending_changes p order by p.change_id limit 1) as oldest_change,
    extract(epoch from clock_timestamp() - boards.finished_at)::double precision as boards_age,
    extract(epoch from clock_timestamp() - scores.finished_at)::double precision as scores_age,
    coalesce(
        boards.last_error, scores.last_error,
        (select s.last_error from board_state s where s.last_error is not null limit 1)
    ) as last_error
from score_refresh boards, score_refresh scores
where boards.view_name = 'board_scores' and scores.view_name = 'tool_scores'
