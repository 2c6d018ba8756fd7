-- Events of a team as it is: 400 tools with a heavy-tailed use (a built-in is in front), 200 members, 25 projects,
-- 400 days. $1 is the org, $2 the number of events, $3 the first of them, $4 the last day.
--
-- Every figure comes from hashes of the row's number, so that two runs make the same events. Times ascend, as they do
-- when a team uploads day by day.
insert into usage_events (
    org_id, member_id, occurred_at, received_at, duration_ms, cost_micro_usd, outcome, reason, source, upload_id,
    uuid, tool_id, operation, session_id, project, model, agent, agent_version, git_branch, task_text
)
select
    g.org_id,
    g.member_id,
    g.occurred_at,
    g.occurred_at + interval '1 hour',
    case when g.d < 0.97 then (exp(4.5 + 2.2 * sqrt(-2 * ln(g.e)) * cos(2 * pi() * g.f)))::bigint end,
    case when g.c < 0.3 then (1000000 * g.c * g.c)::bigint end,
    case
        when g.o < 0.93 then 'success' when g.o < 0.97 then 'failure' when g.o < 0.995 then 'abandoned' else 'unknown'
    end::event_outcome,
    case
        when g.o < 0.93 then null when g.o < 0.965 then 'error' when g.o < 0.97 then 'invalid_input'
        when g.o < 0.99 then 'rejected' when g.o < 0.995 then 'interrupted'
    end::event_reason,
    'jsonl',
    '00000000-0000-0000-0000-000000000000',
    'toolu_' || substr(md5(g.n::text), 1, 24),
    (array[
        'builtin:', 'builtin:', 'builtin:', 'mcp:', 'skill:', 'agent:', 'plugin:', 'command:'
    ])[1 + least(g.tool, g.tool % 5 + 3)] || 'tool-' || g.tool,
    'operation-' || g.n % 7,
    'session-' || g.member_id || '-' || to_char(g.occurred_at, 'YYYYMMDD') || '-' || g.n % 3,
    case when g.p < 0.98 then 'project-' || (25 * g.p ^ 3)::int end,
    'model-' || g.n % 3,
    'claude-code',
    '2.1.' || g.n % 40,
    'main',
    null
from (
    select
        $1::bigint as org_id,
        n,
        $4::timestamptz - interval '400 days' + (n::double precision / $5::bigint) * interval '400 days' as occurred_at,
        -- A power law over tools and, less steep, over members.
        (400 * (r.a ^ 4))::int % 400 as tool,
        $6::bigint + (200 * (r.b ^ 1.8))::int % 200 as member_id,
        r.c, r.d, greatest(r.e, 1e-9) as e, r.f, r.o, r.p
    from generate_series($3::bigint, $3::bigint + $2::bigint - 1) as n
    cross join lateral (
        select
            (hashint8extended(n, 1) & 1048575) / 1048576.0::double precision as a,
            (hashint8extended(n, 2) & 1048575) / 1048576.0::double precision as b,
            (hashint8extended(n, 3) & 1048575) / 1048576.0::double precision as c,
            (hashint8extended(n, 4) & 1048575) / 1048576.0::double precision as d,
            (hashint8extended(n, 5) & 1048575) / 1048576.0::double precision as e,
            (hashint8extended(n, 6) & 1048575) / 1048576.0::double precision as f,
            (hashint8extended(n, 7) & 1048575) / 1048576.0::double precision as o,
            (hashint8extended(n, 8) & 1048575) / 1048576.0::double precision as p
    ) r
) g
