-- What loaded tools cost. A listing is a part of every request of its session: its tokens, the requests that carried
-- them, and what that cost. Null where the log does not say.
alter table session_tools add column context_tokens bigint;
alter table session_tools add column requests bigint;
alter table session_tools add column carried_tokens bigint;
alter table session_tools add column cost_micro_usd bigint;
alter table session_tools add column invoke_tokens bigint;

-- sized: sessions with a size of the listing; context_tokens is their sum.
alter table loaded_days add column sized bigint not null default 0;
alter table loaded_days add column context_tokens bigint not null default 0;
alter table loaded_days add column requests bigint;
alter table loaded_days add column carried_tokens bigint;
alter table loaded_days add column cost_micro_usd bigint;
alter table loaded_days add column invoke_tokens bigint;

alter table loaded_tools add column sized bigint not null default 0;
alter table loaded_tools add column context_tokens bigint not null default 0;
alter table loaded_tools add column requests bigint;
alter table loaded_tools add column carried_tokens bigint;
alter table loaded_tools add column cost_micro_usd bigint;
alter table loaded_tools add column invoke_tokens bigint;

-- Estimated by the rule of Claude Code, which lists its tools: model::TokenRule.
update session_tools set context_tokens = ceil(context_bytes / 4.8) where context_bytes > 0;

insert into pending_changes (org_id, change_id, day, board, subject)
select distinct
    org_id, '00000000-0000-0000-0000-000000000019'::uuid, (observed_at at time zone 'UTC')::date, 'loaded', tool_id
from session_tools
on conflict do nothing;

-- MCP servers that a session waited for and never got.
create table unreachable_tools (
    org_id bigint not null,
    member_id bigint not null,
    observed_at timestamptz not null,
    session_id text collate "C" not null,
    tool_id text collate "C" not null,
    constraint unreachable_tools_pkey primary key (org_id, member_id, session_id, tool_id),
    constraint unreachable_tools_member_fkey foreign key (org_id, member_id) references members (org_id, member_id)
);

create index unreachable_tools_tool_idx on unreachable_tools (org_id, tool_id, observed_at);

alter table unreachable_tools enable row level security;

-- Where a tool is declared on a machine: file, and line where it is known; and where its plugin is from.
alter table machine_tools add column path text;
alter table machine_tools add column marketplace text collate "C";

-- A tool of the org that does the same as another and that was called: the server that a plugin brings and the server of
-- the same name, a command and a skill of one name.
create function called_twin(org bigint, tool text) returns text
    language sql stable parallel safe
as $$
    select t.tool_id
    from (
        select 'mcp:' || array_to_string(p.parts[n:], '_') as tool_id
        from (select string_to_array(substr(tool, 12), '_') as parts) p
        cross join generate_series(2, array_length(p.parts, 1)) n
        where tool like 'mcp:plugin\_%'
        union all
        select t.tool_id
        from tools t
        where tool like 'mcp:%' and t.org_id = org and t.tool_id >= 'mcp:plugin_' and t.tool_id < 'mcp:plugin`'
            and right(t.tool_id, length(tool) - 3) = '_' || substr(tool, 5)
        union all
        select 'command:' || substr(tool, 7) where tool like 'skill:%'
        union all
        select 'skill:' || substr(tool, 9) where tool like 'command:%'
    ) t
    join board_scores b
        on b.org_id = org and b.board = 'tools' and b.days = 0 and b.builtins and b.subject = t.tool_id collate "C"
    where b.successes > 0
    order by b.events desc, t.tool_id
    limit 1
$$;
