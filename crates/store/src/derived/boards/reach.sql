-- derived::boards::windows (reach)
-- How many tools and members the boards of the subjects that changed, or with $4 of all, stand for. What was used in
-- a window was last used since its first day, so the last uses in usage_totals say it for every window at once.
with subjects as (
    select board, subject from pending_changes where org_id = $1 and board <> 'loaded'
    union
    select board, subject from board_scores where org_id = $1 and $4
),
uses as materialized (
    select s.board, s.subject, t.tool_id, t.member_id, t.last_used_at, t.tool_id like 'builtin:%' as builtin
    from subjects s
    cross join lateral (
        select * from usage_totals t
        where s.board = 'tools' and t.org_id = $1 and t.tool_id = s.subject and not t.already_counted
        union all
        select * from usage_totals t
        where t.org_id = $1 and t.member_id = case s.board when 'members' then s.subject::bigint end
        union all
        select * from usage_totals t
        where s.board = 'projects' and t.org_id = $1 and t.project = s.subject and not t.already_counted
        union all
        select * from usage_totals t where s.board = 'already_counted' and t.org_id = $1 and t.already_counted
    ) t
),
-- A tool, or a member, with the last use of anything and of what is not built in.
used as (
    select board, subject, 1 as tools, 0 as members, max(last_used_at) as last_used_at,
        max(last_used_at) filter (where not builtin) as own_last_used_at
    from uses
    group by board, subject, tool_id
    union all
    select board, subject, 0, 1, max(last_used_at), max(last_used_at) filter (where not builtin)
    from uses
    group by board, subject, member_id
),
reach as (
    select u.board, u.subject, w.days, b.builtins, sum(u.tools) as tools, sum(u.members) as members
    from used u
    cross join (values (true), (false)) as b (builtins)
    join board_windows_on($2::date, $3::integer[]) w
        on case when b.builtins then u.last_used_at else u.own_last_used_at end
            >= (w.before + 1)::timestamp at time zone 'UTC'
    group by 1, 2, 3, 4
)
update board_scores s
set tools = r.tools, members = r.members
from reach r
where s.org_id = $1 and s.board = r.board and s.days = r.days and s.builtins = r.builtins and s.subject = r.subject
    and (s.tools, s.members) is distinct from (r.tools, r.members)
