-- The members of an audit's row: the first twenty are read without the others.
create index loaded_members_tool_member_idx on loaded_members (org_id, tool_id, member_id);
drop index loaded_members_tool_idx;
