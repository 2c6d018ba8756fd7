-- derived::boards::windows (drop empty)
-- The rows of the subjects that changed, or with $3 of all, that have no event in their window any more. $2: the day on
-- which windows end. Boards of a window that is no longer one ($4 has them all) go, too.
delete from board_scores s
where s.org_id = $1
    and (
        $3
        or (s.board, s.subject) in (
            select board, subject from pending_changes where org_id = $1 and board <> 'loaded'
        )
    )
    and (
        s.days <> all ($4::integer[])
        or not exists (
            select from board_days d
            where d.org_id = $1 and d.board = s.board and d.subject = s.subject
                and d.day > case s.days when 0 then '-infinity' else $2::date - s.days end
                and (s.builtins or not d.builtin)
        )
    )
