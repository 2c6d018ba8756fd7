//! What is removed together.

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
    pin::pin,
};

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use futures_util::StreamExt;
use model::{
    OrgId,
    api::{AllOr, DeadWeightGroup, GroupBy, query::DeadWeightQuery},
};

use super::{read, removal, rows_of, verdict};
use crate::{StoreError, leaderboards::Scope};

/// Most groups of an answer.
const GROUPS: usize = 100;

/// Most groups that are told apart; tools of others are left out.
const KNOWN_GROUPS: usize = 10_000;

/// Most tools of a group whose members are looked up.
const GROUP_TOOLS: usize = 200;

/// A group while its tools are added up.
struct Sum {
    group: DeadWeightGroup,
    cost_micro_usd: Option<i64>,
    tools: Vec<String>,
}

/// Groups every tool of the catalogue that the query's filters allow, in use or not: the most tokens first.
pub(super) async fn of(
    client: &Transaction<'_>,
    org: OrgId,
    query: &DeadWeightQuery,
    by: GroupBy,
    scope: &Scope,
) -> Result<Vec<DeadWeightGroup>, StoreError> {
    let marketplaces = match by {
        GroupBy::Marketplace => marketplaces(client, org).await?,
        _ => HashMap::new(),
    };
    let everything = DeadWeightQuery {
        verdict: Some(AllOr::All),
        ..query.clone()
    };
    let mut sums: HashMap<String, Sum> = HashMap::new();
    let mut rows = pin!(rows_of(client, org, &everything, scope, 0, None).await?);
    while let Some(row) = rows.next().await {
        let facts = read(&row?)?;
        let plugin = removal::plugin_of(&facts.tool_id, None);
        let name = match by {
            GroupBy::Removal => removal::group_of(&facts.tool_id, None),
            GroupBy::Plugin => match plugin {
                Some(plugin) => format!("plugin:{plugin}"),
                None => continue,
            },
            GroupBy::Server if facts.tool_id.starts_with("mcp:") => facts.tool_id.clone(),
            GroupBy::Server => continue,
            GroupBy::Marketplace => match plugin.and_then(|plugin| marketplaces.get(plugin)) {
                Some(marketplace) => marketplace.clone(),
                None => continue,
            },
        };
        let known = sums.len();
        let sum = match sums.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if known >= KNOWN_GROUPS => continue,
            Entry::Vacant(new) => {
                let group = empty(new.key(), by);
                new.insert(group)
            }
        };
        let group = &mut sum.group;
        group.tools += 1;
        group.tools_without_calls += i64::from(facts.events == 0);
        group.events = group.events.saturating_add(facts.events);
        group.sessions_loaded = group.sessions_loaded.max(facts.sessions_loaded);
        add(&mut group.context_tokens, facts.mean_tokens());
        add(&mut group.carried_tokens, facts.carried_tokens);
        add(&mut sum.cost_micro_usd, facts.cost_micro_usd);
        if sum.tools.len() < GROUP_TOOLS {
            sum.tools.push(facts.tool_id);
        }
    }
    let mut sums: Vec<Sum> = sums.into_values().collect();
    sums.sort_by_key(|sum| {
        (
            Reverse(sum.cost_micro_usd),
            Reverse(sum.group.context_tokens),
            sum.group.group.clone(),
        )
    });
    sums.truncate(GROUPS);
    let since = verdict::first_day(query.days(), scope.today);
    with_members(client, org, scope.member_id, since, &mut sums).await?;
    let groups = sums.into_iter().map(|mut sum| {
        sum.group.est_cost_usd_month = verdict::month_usd(sum.cost_micro_usd, query.days());
        sum.group
    });
    Ok(groups.collect())
}

fn empty(name: &str, by: GroupBy) -> Sum {
    let remove = match by {
        GroupBy::Marketplace => Some(format!(
            "claude plugin marketplace remove {}",
            removal::quoted(name)
        )),
        _ => removal::remove_group(name),
    };
    Sum {
        group: DeadWeightGroup {
            group: name.to_owned(),
            tools: 0,
            tools_without_calls: 0,
            events: 0,
            sessions_loaded: 0,
            context_tokens: None,
            carried_tokens: None,
            est_cost_usd_month: None,
            loaded_by: Vec::new(),
            remove,
        },
        cost_micro_usd: None,
        tools: Vec::new(),
    }
}

fn add(sum: &mut Option<i64>, more: Option<i64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

/// The marketplace of each plugin that a machine of the org has.
async fn marketplaces(client: &Transaction<'_>, org: OrgId) -> Result<HashMap<String, String>, StoreError> {
    let statement = client
        .prepare_cached(include_str!("groups/marketplaces.sql"))
        .await?;
    let rows = client.query(&statement, &[&org.0]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("plugin")?, row.try_get("marketplace")?)))
        .collect()
}

/// Adds the members who had a tool of a group loaded since a day.
async fn with_members(
    client: &Transaction<'_>,
    org: OrgId,
    member: Option<i64>,
    since: NaiveDate,
    sums: &mut [Sum],
) -> Result<(), StoreError> {
    let (mut group, mut tool): (Vec<i32>, Vec<&str>) = (Vec::new(), Vec::new());
    for (at, sum) in (0_i32..).zip(&*sums) {
        group.extend(std::iter::repeat_n(at, sum.tools.len()));
        tool.extend(sum.tools.iter().map(String::as_str));
    }
    let statement = client.prepare_cached(include_str!("groups/members.sql")).await?;
    let rows = client
        .query(&statement, &[&org.0, &group, &tool, &member, &since])
        .await?;
    for row in rows {
        let at: i32 = row.try_get("at")?;
        let loaded_by = row.try_get("loaded_by")?;
        if let Some(sum) = usize::try_from(at).ok().and_then(|at| sums.get_mut(at)) {
            sum.group.loaded_by = loaded_by;
        }
    }
    Ok(())
}
