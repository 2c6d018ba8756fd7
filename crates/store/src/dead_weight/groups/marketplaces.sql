-- dead_weight::groups::marketplaces
select substr(source, 8) as plugin, min(marketplace) as marketplace
from machine_tools
where org_id = $1 and source like 'plugin:%' and marketplace is not null
group by source
order by source
limit 10000
