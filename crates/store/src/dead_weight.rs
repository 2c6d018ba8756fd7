//! Dead weight: tools that are known, loaded or installed, and that no member uses.

mod groups;
mod removal;
mod shipped;
pub mod verdict;

use std::{collections::HashMap, pin::pin};

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use futures_util::StreamExt;
use model::{
    OrgId,
    api::{
        AllOr, DeadWeightGroup, DeadWeightRow, Decision, Evidence, Verdict,
        query::{DeadWeightQuery, ListQuery},
    },
};
use tokio_postgres::{
    Row, RowStream,
    types::{ToSql, Type},
};

use self::{removal::Declared, verdict::Facts};
use crate::{
    Store, StoreError, filters,
    leaderboards::{Scope, read_scope},
    page::{self, Page},
    row,
    session::plan_for_any_org,
};

/// The windows that the refresher precomputes.
const PRECOMPUTED_DAYS: [i64; 3] = [7, 30, 90];

impl Store {
    /// Audits the catalogue: the tools that `query` asks for, those that cost the most context first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn dead_weight(
        &self,
        org: OrgId,
        query: &DeadWeightQuery,
    ) -> Result<Page<DeadWeightRow>, StoreError> {
        let limit = query.page_rows();
        let offset: i64 = page::read_cursor(query.cursor())?.unwrap_or(0);
        let mut client = self.client().await?;
        let scope = read_scope(&client, org, query.member.as_deref()).await?;
        let transaction = client.transaction().await?;
        if query.member.is_some() || query.project.is_some() {
            plan_for_any_org(&transaction).await?;
        }
        let mut tools = audited(&transaction, org, query, &scope, offset).await?;
        let limit_rows = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = tools.len() > limit_rows;
        tools.truncate(limit_rows);
        let rows = with_installations(
            &transaction,
            org,
            scope.member_id,
            query.days(),
            scope.today,
            tools,
        )
        .await?;
        transaction.commit().await?;
        Ok(Page {
            rows,
            next_cursor: more.then(|| page::cursor(&(offset + i64::from(limit)))),
        })
    }
}

impl Store {
    /// What the tools of an audit are removed with, in use or not; `None` when the query does not ask for it.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn dead_weight_groups(
        &self,
        org: OrgId,
        query: &DeadWeightQuery,
    ) -> Result<Option<Vec<DeadWeightGroup>>, StoreError> {
        let Some(by) = query.group_by else {
            return Ok(None);
        };
        let mut client = self.client().await?;
        let scope = read_scope(&client, org, query.member.as_deref()).await?;
        let transaction = client.transaction().await?;
        if query.member.is_some() || query.project.is_some() {
            plan_for_any_org(&transaction).await?;
        }
        let groups = groups::of(&transaction, org, query, by, &scope).await?;
        transaction.commit().await?;
        Ok(Some(groups))
    }
}

impl Store {
    /// The day of the earliest event of an org.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn data_since(&self, org: OrgId) -> Result<Option<NaiveDate>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "-- dead_weight::data_since\n\
                 select occurred_at from usage_events where org_id = $1 order by occurred_at limit 1",
            )
            .await?;
        let row = client.query_opt(&statement, &[&org.0]).await?;
        let first: Option<DateTime<Utc>> = row.as_ref().map(row::only).transpose()?;
        Ok(first.map(|first| first.date_naive()))
    }
}

/// A tool with its verdict and the reason.
struct Audited {
    facts: Facts,
    verdict: Verdict,
    reason: String,
    decision: Option<Decision>,
}

/// Reads the tools of one page, and one more where there is one. The database sorts and skips; where only one verdict is
/// asked for, which is decided here, its rows are read one after the other and dropped. So what is held in memory is
/// a page, however large the catalogue is.
async fn audited(
    client: &Transaction<'_>,
    org: OrgId,
    query: &DeadWeightQuery,
    scope: &Scope,
    offset: i64,
) -> Result<Vec<Audited>, StoreError> {
    let wanted = i64::from(query.page_rows()) + 1;
    let only = query.verdict.and_then(AllOr::only);
    let judged = query.verdict.is_none() && query.judged.unwrap_or(false);
    let (skip, offset, rows) = if only.is_some() || judged {
        (offset, 0, None)
    } else {
        (0, offset, Some(wanted))
    };
    let mut rows = pin!(rows_of(client, org, query, scope, offset, rows).await?);
    let mut page = Vec::new();
    let mut skipped = 0;
    while let Some(row) = rows.next().await {
        let row = row?;
        let facts = read(&row)?;
        let (verdict, reason) = facts.judge(query.days(), scope.today);
        if only.is_some_and(|only| only != verdict) || (judged && verdict == Verdict::TooNew) {
            continue;
        }
        if skipped < skip {
            skipped += 1;
            continue;
        }
        page.push(Audited {
            facts,
            verdict,
            reason,
            decision: row::optional_word(&row, "decision")?,
        });
        if i64::try_from(page.len()).is_ok_and(|read| read == wanted) {
            break;
        }
    }
    Ok(page)
}

/// The catalogue as the query asks for it, those that cost the most context first.
async fn rows_of(
    client: &Transaction<'_>,
    org: OrgId,
    query: &DeadWeightQuery,
    scope: &Scope,
    offset: i64,
    limit: Option<i64>,
) -> Result<RowStream, StoreError> {
    let days = query.days();
    let kind = query.kind.map(|kind| kind.to_string());
    let without_events = query.verdict.is_none();
    let decided = query.decided.unwrap_or(false) || query.verdict == Some(AllOr::All);
    if query.member.is_none() && query.project.is_none() && PRECOMPUTED_DAYS.contains(&days) {
        let statement = client
            .prepare_cached(include_str!("dead_weight/precomputed.sql"))
            .await?;
        let first_day = verdict::first_day(days, scope.today);
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let asked: [&(dyn ToSql + Sync); 8] = [
            &org.0,
            &days,
            &kind,
            &without_events,
            &offset,
            &limit,
            &decided,
            &first_day,
        ];
        return Ok(client.query_raw(&statement, asked).await?);
    }
    let first_day = verdict::first_day(days, scope.today);
    let asked: [(&(dyn ToSql + Sync), Type); 9] = [
        (&org.0, Type::INT8),
        (&first_day, Type::DATE),
        (&kind, Type::TEXT),
        (&query.project, Type::TEXT),
        (&scope.member_id, Type::INT8),
        (&without_events, Type::BOOL),
        (&offset, Type::INT8),
        (&limit, Type::INT8),
        (&decided, Type::BOOL),
    ];
    Ok(client.query_typed_raw(&live_statement(query), asked).await?)
}

/// The statement of an audit that is counted on request: one for each combination of filters.
pub fn live_statement(query: &DeadWeightQuery) -> String {
    let mut given = [true; 9];
    given[3] = query.project.is_some();
    given[4] = query.member.is_some();
    filters::with_given(include_str!("dead_weight/live.sql"), &given)
}

/// Adds which members have the tools of a page installed, and which had them loaded since a day.
async fn with_installations(
    client: &Transaction<'_>,
    org: OrgId,
    member: Option<i64>,
    days: i64,
    today: NaiveDate,
    tools: Vec<Audited>,
) -> Result<Vec<DeadWeightRow>, StoreError> {
    let since = verdict::first_day(days, today);
    let ids: Vec<&str> = tools.iter().map(|tool| tool.facts.tool_id.as_str()).collect();
    let statement = client
        .prepare_cached(include_str!("dead_weight/installed.sql"))
        .await?;
    let mut installed: HashMap<String, (i64, Vec<String>, Declared)> = HashMap::new();
    for row in client.query(&statement, &[&org.0, &ids, &member]).await? {
        installed.insert(
            row.try_get("tool_id")?,
            (
                row.try_get("members_installed")?,
                row.try_get("installed_by")?,
                Declared {
                    sources: row.try_get::<_, Option<_>>("sources")?.unwrap_or_default(),
                    paths: row.try_get::<_, Option<_>>("paths")?.unwrap_or_default(),
                },
            ),
        );
    }
    let statement = client
        .prepare_cached(include_str!("dead_weight/loaded_by.sql"))
        .await?;
    let mut loaded: HashMap<String, Vec<String>> = HashMap::new();
    for row in client.query(&statement, &[&org.0, &ids, &member, &since]).await? {
        loaded.insert(row.try_get("tool_id")?, row.try_get("loaded_by")?);
    }
    let statement = client
        .prepare_cached(include_str!("dead_weight/last_loaded.sql"))
        .await?;
    let mut last_loaded: HashMap<String, (DateTime<Utc>, Vec<String>)> = HashMap::new();
    for row in client.query(&statement, &[&org.0, &ids, &member, &since]).await? {
        let projects: Option<Vec<String>> = row.try_get("projects")?;
        last_loaded.insert(
            row.try_get("tool_id")?,
            (row.try_get("last_loaded_at")?, projects.unwrap_or_default()),
        );
    }
    let rows = tools.into_iter().map(
        |Audited {
             facts,
             verdict,
             reason,
             decision,
         }| {
            let (members_installed, installed_by, declared) =
                installed.remove(&facts.tool_id).unwrap_or_default();
            let (last_loaded_at, projects) = match last_loaded.remove(&facts.tool_id) {
                Some((at, projects)) => (Some(at), projects),
                None => (None, Vec::new()),
            };
            let evidence = Evidence {
                days,
                since: Some(since),
                sessions: match verdict {
                    Verdict::Unreachable => facts.sessions_unreachable,
                    _ => facts.sessions_loaded,
                },
                members: facts.members_loaded,
                users: facts.members,
                calls: facts.events,
                first_seen_at: Some(facts.known_since),
                last_seen_at: facts.last_used_at.max(last_loaded_at),
                duplicate_of: facts
                    .duplicate_of
                    .clone()
                    .filter(|_| verdict == Verdict::Duplicate),
            };
            let kind = facts.tool_id.split_once(':').map_or("", |(kind, _)| kind);
            DeadWeightRow {
                kind: kind.to_owned(),
                last_used_at: facts.last_used_at,
                events: facts.events,
                members: facts.members,
                sessions_loaded: facts.sessions_loaded,
                members_loaded: facts.members_loaded,
                members_installed,
                installed_by,
                known_since: Some(facts.known_since),
                context_bytes: facts.context_bytes,
                context_tokens: facts.mean_tokens(),
                invoke_tokens: facts.invoke_tokens,
                requests: facts.requests,
                carried_tokens: facts.carried_tokens,
                est_cost_usd_month: facts.month_usd(days),
                remove: removal::remove(&facts.tool_id, Some(&declared)),
                group: removal::group_of(&facts.tool_id, Some(&declared)),
                declared_in: declared.paths,
                projects,
                evidence,
                confidence: facts.confidence(verdict),
                decision,
                loaded_by: loaded.remove(&facts.tool_id).unwrap_or_default(),
                verdict,
                reason,
                tool_id: facts.tool_id,
            }
        },
    );
    Ok(rows.collect())
}

fn read(row: &Row) -> Result<Facts, StoreError> {
    Ok(Facts {
        tool_id: row.try_get("tool_id")?,
        known_since: row.try_get("known_since")?,
        last_used_at: row.try_get("last_used_at")?,
        events: row.try_get("events")?,
        successes: row.try_get("successes")?,
        failures: row.try_get("failures")?,
        unknown_tool: row.try_get("unknown_tool")?,
        members: row.try_get("members")?,
        sessions_loaded: row.try_get("sessions_loaded")?,
        members_loaded: row.try_get("members_loaded")?,
        context_bytes: row.try_get("context_bytes")?,
        sized: row.try_get("sized")?,
        context_tokens: row.try_get("context_tokens")?,
        requests: row.try_get("requests")?,
        carried_tokens: row.try_get("carried_tokens")?,
        cost_micro_usd: row.try_get("cost_micro_usd")?,
        invoke_tokens: row.try_get("invoke_tokens")?,
        sessions_unreachable: row.try_get("sessions_unreachable")?,
        duplicate_of: row.try_get("duplicate_of")?,
        ever_loaded: row.try_get("ever_loaded")?,
        installed: row.try_get("installed")?,
        listed: row.try_get("listed")?,
        active_members: row.try_get("active_members")?,
    })
}
