-- derived::rebuild::rebuild (members)
-- Every member of every org, for the rebuild.
select org_id, member_id from members
union
select org_id, member_id from usage_days
union
select org_id, member_id from usage_totals
order by org_id, member_id
