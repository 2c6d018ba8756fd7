-- overview::overview (members)
select
    count(distinct subject) filter (where $2::date is null or day >= $2) as members,
    count(distinct subject) filter (where day < $2) as previous_members
from board_days
where org_id = $1 and board = 'members' and events > 0 and ($3::date is null or day >= $3) and day <= $4
