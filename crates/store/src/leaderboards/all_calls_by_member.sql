-- leaderboards::calls_by_member (all)
-- All calls of each of these members ($2) to each of these tools ($3), in one project ($4) or in all.
select m.handle, t.tool_id, sum(t.events)::bigint as events
from members m
join usage_totals t on t.org_id = $1 and t.member_id = m.member_id and t.tool_id = any ($3::text[])
where m.org_id = $1 and m.handle = any ($2::text[]) and ($4::text is null or t.project = $4)
group by m.handle, t.tool_id
