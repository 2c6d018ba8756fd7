-- tool_detail::read_detail (days)
-- The days of one tool since $3: by day, by project, and by member under the name that boards show.
select
    case when d.day is not null then 'day' when d.project is not null then 'project' else 'member' end as part,
    d.day,
    coalesce(nullif(d.project, ''), board_name(o.show_names, o.board_salt, m.member_id, m.handle)) as name,
    d.events,
    d.successes,
    d.failures
from (
    select
        day, project, member_id, sum(events)::bigint as events, sum(successes)::bigint as successes,
        sum(failures)::bigint as failures
    from usage_days
    where org_id = $1 and tool_id = $2 and not already_counted and ($3::date is null or day >= $3)
    group by grouping sets ((day), (project), (member_id))
) d
join orgs o on o.org_id = $1
left join members m on m.org_id = $1 and m.member_id = d.member_id
where d.member_id is null or not m.board_opt_out
order by 1, 2, 4 desc, 3
