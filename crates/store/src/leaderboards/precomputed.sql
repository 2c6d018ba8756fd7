-- leaderboards::precomputed
-- A board over everything: at most as many rows as there are subjects, read from the view by its key.
select
    n.name as subject, b.tools, b.events, b.successes, b.failures, b.abandoned, b.unknown, b.success_rate,
    b.decided_rate, b.wilson_low, b.avg_cost_usd, b.median_duration_ms, b.members, b.first_used_at, b.last_used_at,
    b.previous_events, b.previous_decided_rate, b.previous_wilson_low
from board_scores b
join orgs o on o.org_id = b.org_id
left join members m on m.org_id = b.org_id and b.board = 'members' and m.member_id::text = b.subject
cross join lateral (
    select case
        when b.board = 'members' then board_name(o.show_names, o.board_salt, m.member_id, m.handle) else b.subject
    end as name
) n
where b.org_id = $1
    and b.board = $2
    and b.days = $3
    and b.builtins = $4
    and ($5::text is null or split_part(b.subject, ':', 1) = $5)
    and b.events >= $6
    and (b.board <> 'members' or not m.board_opt_out)
order by
    case when b.board = 'tools' then b.wilson_low end desc nulls last,
    case when b.board = 'members' then b.tools end desc,
    case when b.board = 'members' then b.decided_rate end desc nulls last,
    case when b.board <> 'members' then b.events end desc,
    n.name collate "C"
offset $7 limit $8
