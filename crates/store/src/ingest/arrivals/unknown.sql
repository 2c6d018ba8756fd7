-- ingest::arrivals::admit
-- Which of these tools, projects and sessions the org does not know yet, in the order in which they are asked for. Each
-- is looked up as in ingest/compare.sql.
select
    array(
        select b.name
        from unnest($2::text[] collate "C") with ordinality as b (name, nth)
        left join lateral (
            select true as known
            from tools t
            where t.org_id = $1 and t.tool_id >= b.name and t.tool_id <= b.name
            order by t.tool_id
            limit 1
        ) k on true
        where k.known is null
        order by b.nth
    ) as tools,
    array(
        select b.name
        from unnest($3::text[] collate "C") with ordinality as b (name, nth)
        left join lateral (
            select true as known
            from usage_days d
            where d.org_id = $1 and d.project >= b.name and d.project <= b.name
            order by d.project
            limit 1
        ) k on true
        where k.known is null
        order by b.nth
    ) as projects,
    array(
        select b.name
        from unnest($4::text[] collate "C") with ordinality as b (name, nth)
        left join lateral (
            select true as known
            from sessions s
            where s.org_id = $1 and s.session_id >= b.name and s.session_id <= b.name
            order by s.session_id
            limit 1
        ) k on true
        where k.known is null
        order by b.nth
    ) as sessions
