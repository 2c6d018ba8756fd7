-- decisions::decision_list
select decision_id, tool_id, decision, note, until, owner, decided_by, decided_at, ended_at
from tool_decisions
where org_id = $1
    and ($2::text is null or tool_id = $2)
    and ($3::text is null or decision = $3)
    and ($4 or ended_at is null)
    and ($5::uuid is null or decision_id < $5)
order by decision_id desc
limit $6
