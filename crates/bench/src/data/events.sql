-- Events of a realistic team: 400 tools with a heavy-tailed use, 200 members, 25 projects, 400 days.
--
-- A member uses the twelve tools that all members use (three built-ins in front) and up to 36 of their own, and works
-- in one of their two projects for a day, one day in five. Every figure comes from hashes of the row's number, so that two runs make
-- the same events; times ascend, as they do when a team uploads day by day.
--
-- {org} {first_member}: ids. {events}: how many there will be. {first} {last}: the numbers of those made here, the last
-- one left out. {begin}: the day of the first.
insert into usage_events (
    org_id, member_id, occurred_at, received_at, duration_ms, cost_micro_usd, outcome, reason, source, upload_id,
    uuid, tool_id, operation, session_id, project, model, agent, agent_version, git_branch, task_text
)
select
    {org},
    {first_member} + e.member,
    e.occurred_at,
    e.occurred_at,
    case when e.d < 0.97 then exp(4.5 + 4.0 * (e.d + e.c + e.o - 1.5))::bigint end,
    case when e.c < 0.3 then (1000000 * e.c * e.c)::bigint end,
    case
        when e.o < 0.93 then 'success'::event_outcome
        when e.o < 0.97 then 'failure'
        when e.o < 0.995 then 'abandoned'
        else 'unknown'
    end,
    case
        when e.o < 0.93 then null::event_reason
        when e.o < 0.965 then 'error'
        when e.o < 0.97 then 'invalid_input'
        when e.o < 0.99 then 'rejected'
        when e.o < 0.995 then 'interrupted'
    end,
    'jsonl',
    '00000000-0000-0000-0000-000000000000',
    'toolu_' || to_hex(hashint8extended(e.n, 4)) || to_hex(hashint8extended(e.n, 5)),
    case
        when e.tool < 3 then 'builtin:tool-'
        when e.tool % 4 = 0 then 'mcp:tool-'
        when e.tool % 4 = 1 then 'skill:tool-'
        when e.tool % 4 = 2 then 'agent:tool-'
        else 'plugin:tool-'
    end || e.tool,
    'operation-' || e.n % 7,
    'session-' || e.member || '-' || e.day || '-' || e.n % 3,
    case when e.n % 50 > 0 then 'project-' || (e.member % 13 + e.day % 2 * (e.member % 5)) % 25 end,
    'model-' || e.n % 3,
    'claude-code',
    '2.1.' || e.day / 10,
    'main',
    null
from (
    select
        n,
        day,
        member,
        case when rank < 12 then rank else 12 + (hashint8extended(member * 64 + rank, 9) & 65535) % 388 end as tool,
        timestamptz '{begin} 00:00:00Z' + ((n + 0.5) / {events}) * interval '9600 hours' as occurred_at,
        (h >> 40 & 65535) / 65536.0::float8 as c,
        (h >> 20 & 65535) / 65536.0::float8 as d,
        (h & 65535) / 65536.0::float8 as o
    from (
        select
            n,
            n * 400 / {events} as day,
            floor(40 * power((hashint8extended(n, 1) & 1048575) / 1048576.0::float8, 1.8))::bigint * 5
                + (n * 400 / {events}) % 5 as member,
            floor(48 * power((hashint8extended(n, 2) & 1048575) / 1048576.0::float8, 2.5))::bigint as rank,
            hashint8extended(n, 3) as h
        from generate_series({first}::bigint, {last}::bigint - 1) as n
    ) r
) e
