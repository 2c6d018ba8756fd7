//! Dead weight: tools that are known, loaded or installed, and that nobody uses.

pub mod verdict;

use std::{cmp::Reverse, collections::HashMap};

use chrono::NaiveDate;
use model::{
    Kind, OrgId,
    api::{
        AllOr, DeadWeightRow,
        query::{DeadWeightQuery, ListQuery},
    },
};
use tokio_postgres::{Row, types::Type};

use self::verdict::Facts;
use crate::{
    Store, StoreError,
    page::{self, Page},
};

/// The windows that the refresher counts for us.
const PRECOMPUTED_DAYS: [i64; 3] = [7, 30, 90];

impl Store {
    /// Audits the catalogue: the tools that `query` asks for, those that cost the most context first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn dead_weight(
        &self,
        org: OrgId,
        query: &DeadWeightQuery,
    ) -> Result<Page<DeadWeightRow>, StoreError> {
        let limit = query.page_rows();
        let offset: i64 = page::read_cursor(query.cursor())?.unwrap_or(0);
        let days = query.days();
        let kind = query.kind.and_then(AllOr::only).map(Kind::as_str);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("leaderboards/scope.sql"))
            .await?;
        let scope = client.query_one(&statement, &[&org.0, &query.member]).await?;
        let today: NaiveDate = scope.try_get(0)?;
        // A handle that nobody has is no member's number.
        let member = match query.member {
            Some(_) => Some(scope.try_get::<_, Option<i64>>(2)?.unwrap_or(-1)),
            None => None,
        };
        let without_events = query.verdict.is_none();
        let precomputed = member.is_none() && query.project.is_none() && PRECOMPUTED_DAYS.contains(&days);
        let rows = if precomputed {
            let statement = client
                .prepare_cached(include_str!("dead_weight/precomputed.sql"))
                .await?;
            let days = i32::try_from(days).unwrap_or(i32::MAX);
            client
                .query(&statement, &[&org.0, &days, &kind, &without_events])
                .await?
        } else {
            let first_day = verdict::first_day(days, today);
            client
                .query_typed(
                    include_str!("dead_weight/live.sql"),
                    &[
                        (&org.0, Type::INT8),
                        (&first_day, Type::DATE),
                        (&kind, Type::TEXT),
                        (&query.project, Type::TEXT),
                        (&member, Type::INT8),
                        (&without_events, Type::BOOL),
                    ],
                )
                .await?
        };
        let mut judged = Vec::new();
        for row in &rows {
            let facts = read(row)?;
            let (verdict, reason) = facts.judge(days, today);
            if query
                .verdict
                .and_then(AllOr::only)
                .is_none_or(|one| one == verdict)
            {
                judged.push((facts, verdict, reason));
            }
        }
        judged.sort_by(|(a, ..), (b, ..)| {
            let weight = |facts: &Facts| Reverse((facts.context_bytes, facts.sessions_loaded));
            (weight(a), a.last_used_at, &a.tool_id).cmp(&(weight(b), b.last_used_at, &b.tool_id))
        });
        let (skip, take) = (
            usize::try_from(offset).unwrap_or(0),
            usize::try_from(limit).unwrap_or(usize::MAX),
        );
        let more = judged.len() > skip.saturating_add(take);
        let page: Vec<_> = judged.into_iter().skip(skip).take(take).collect();
        let tools: Vec<&str> = page.iter().map(|(facts, ..)| facts.tool_id.as_str()).collect();
        let statement = client
            .prepare_cached(include_str!("dead_weight/installed.sql"))
            .await?;
        let mut installed: HashMap<String, (i64, Vec<String>)> = HashMap::new();
        for row in client.query(&statement, &[&org.0, &tools, &member]).await? {
            installed.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        }
        let rows = page.into_iter().map(|(facts, verdict, reason)| {
            let (members_installed, installed_by) = installed.remove(&facts.tool_id).unwrap_or_default();
            DeadWeightRow {
                kind: facts
                    .tool_id
                    .split_once(':')
                    .map_or("", |(kind, _)| kind)
                    .to_owned(),
                last_used_at: facts.last_used_at,
                events: facts.events,
                members: facts.members,
                sessions_loaded: facts.sessions_loaded,
                members_loaded: facts.members_loaded,
                members_installed,
                installed_by,
                known_since: Some(facts.known_since),
                context_bytes: facts.context_bytes,
                verdict,
                reason,
                tool_id: facts.tool_id,
            }
        });
        Ok(Page {
            rows: rows.collect(),
            next_cursor: more.then(|| page::cursor(&(offset + i64::from(limit)))),
        })
    }
}

fn read(row: &Row) -> Result<Facts, tokio_postgres::Error> {
    Ok(Facts {
        tool_id: row.try_get(0)?,
        known_since: row.try_get(1)?,
        last_used_at: row.try_get(2)?,
        events: row.try_get(3)?,
        successes: row.try_get(4)?,
        failures: row.try_get(5)?,
        unknown_tool: row.try_get(6)?,
        members: row.try_get(7)?,
        sessions_loaded: row.try_get(8)?,
        members_loaded: row.try_get(9)?,
        context_bytes: row.try_get(10)?,
        ever_loaded: row.try_get(11)?,
        installed: row.try_get(12)?,
        active_members: row.try_get(13)?,
    })
}
