-- leaderboards::precomputed_rows (precomputed members)
-- The board of members over everything, without those who opted out: people, then CI identities, each ranked among their
-- own.
select
    b.*,
    row_number() over (
        partition by b.member_kind order by b.tools desc, b.decided_rate desc nulls last, b.subject
    ) as rank
from (
    select
        board_name(o.show_names, o.board_salt, m.member_id, m.handle) collate "C" as subject, m.kind as member_kind,
        b.tools, b.events, b.successes, b.failures, b.abandoned, b.unknown, b.success_rate, b.decided_rate, b.wilson_low,
        b.avg_cost_usd, b.costed, b.cost_micro_usd, b.run_cost_micro_usd, b.median_duration_ms, b.members, b.first_used_at, b.last_used_at, b.previous_events,
        b.previous_decided_rate, b.previous_wilson_low
    from board_scores b
    join orgs o on o.org_id = b.org_id
    join members m on m.org_id = b.org_id and m.member_id = b.subject::bigint
    where b.org_id = $1
        and b.board = 'members'
        and b.days = $2
        and b.builtins = $3
        and b.events >= $4
        and not m.board_opt_out
        and ($7::text is null or m.kind = $7)
) b
order by b.member_kind = 'ci', rank
offset $5 limit $6
