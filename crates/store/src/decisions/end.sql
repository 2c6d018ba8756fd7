-- decisions::decision_end
-- Ends the decision about a tool that stands.
update tool_decisions set ended_at = $3 where org_id = $1 and tool_id = $2 and ended_at is null
