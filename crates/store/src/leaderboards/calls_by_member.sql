-- leaderboards::calls_by_member
-- Calls of each of these members ($2) to each of these tools ($3) from day $4 to day $5, in one project ($6) or in all.
select m.handle, d.tool_id, sum(d.events)::bigint as events
from members m
join usage_days d
    on d.org_id = $1 and d.member_id = m.member_id and d.day between $4 and $5 and d.tool_id = any ($3::text[])
where m.org_id = $1 and m.handle = any ($2::text[]) and ($6::text is null or d.project = $6)
group by m.handle, d.tool_id
