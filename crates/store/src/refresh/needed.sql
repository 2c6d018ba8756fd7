-- refresh::refresh_needed
-- Whether the scores lack an upload, and whether the boards are older than the scores or than today.
select
    exists (select from pending_scores) as scores,
    coalesce(scores.news_at > boards.started_at, scores.news_at is not null) or boards.today is distinct from $1::date
        as boards
from score_refresh scores, score_refresh boards
where scores.view_name = 'tool_scores' and boards.view_name = 'board_scores'
