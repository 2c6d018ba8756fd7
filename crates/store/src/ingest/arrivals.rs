//! What is new in an org: tools, projects and sessions have a limit a day, so that a flood of names from one member does
//! not become what all of the org have to read. Events that would exceed it are rejected, each with its reason;
//! events of what is known already are never.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{Event, MemberId, NoticeCode, OrgId};
use uuid::Uuid;

use super::batch::Batch;
use crate::{StoreError, catalogue, policy::Policy};

/// Names in the order in which they arrived, each with the member who brought it first.
#[derive(Default)]
struct Names<'a> {
    order: Vec<&'a str>,
    brought_by: HashMap<&'a str, MemberId>,
}

impl<'a> Names<'a> {
    fn see(&mut self, name: &'a str, member: MemberId) {
        self.brought_by.entry(name).or_insert_with(|| {
            self.order.push(name);
            member
        });
    }
}

/// What an ingest brings that is new, and what of it is refused.
#[derive(Default)]
pub(super) struct Arrivals<'a> {
    /// The sessions that the org gets, each with the member who brought it first. In their order.
    pub(super) sessions: BTreeMap<&'a str, MemberId>,
    refused_tools: HashSet<&'a str>,
    refused_projects: HashSet<&'a str>,
    refused_sessions: HashSet<&'a str>,
    /// How many tools, projects and sessions are new.
    counts: [i32; 3],
}

impl<'a> Arrivals<'a> {
    /// Why an event cannot be stored.
    pub(super) fn refuses(&self, event: &Event) -> Option<NoticeCode> {
        let is_in = |names: &HashSet<&str>, name: Option<&str>| name.is_some_and(|name| names.contains(name));
        if is_in(&self.refused_tools, Some(event.tool.as_str())) {
            Some(NoticeCode::TooManyTools)
        } else if is_in(&self.refused_projects, event.project.as_deref()) {
            Some(NoticeCode::TooManyProjects)
        } else if is_in(&self.refused_sessions, event.session.as_deref()) {
            Some(NoticeCode::TooManySessions)
        } else {
            None
        }
    }

    /// Looks up what is new in the batches, adds the new tools to the catalogue, and decides what is refused.
    pub(super) async fn admit(
        transaction: &Transaction<'_>,
        org: OrgId,
        batches: &'a [Batch],
        policies: &HashMap<MemberId, Policy>,
        now: DateTime<Utc>,
    ) -> Result<Arrivals<'a>, StoreError> {
        let [mut tools, mut projects, mut sessions] = <[Names<'_>; 3]>::default();
        for batch in batches {
            let policy = policies.get(&batch.member).copied().unwrap_or_default();
            for event in batch
                .events
                .iter()
                .filter(|event| policy.refuses(event).is_none())
            {
                tools.see(event.tool.as_str(), batch.member);
                for (names, name) in [(&mut projects, &event.project), (&mut sessions, &event.session)] {
                    if let Some(name) = name {
                        names.see(name, batch.member);
                    }
                }
            }
        }
        let statement = transaction
            .prepare_cached(include_str!("arrivals/unknown.sql"))
            .await?;
        let row = transaction
            .query_one(
                &statement,
                &[&org.0, &tools.order, &projects.order, &sessions.order],
            )
            .await?;
        let new: [Vec<&str>; 3] = [
            row.try_get("tools")?,
            row.try_get("projects")?,
            row.try_get("sessions")?,
        ];
        let mut arrivals = Arrivals::default();
        if new.iter().all(Vec::is_empty) {
            return Ok(arrivals);
        }
        let allowed = allowance(transaction, org, now).await?;
        for (kind, (names, new)) in [&tools, &projects, &sessions].into_iter().zip(&new).enumerate() {
            // The names of the batches, not of the row, which ends with this function.
            for (nth, name) in new.iter().enumerate() {
                let (&name, &member) = names
                    .brought_by
                    .get_key_value(*name)
                    .expect("only names that were asked for are answered");
                if nth >= allowed[kind] {
                    [
                        &mut arrivals.refused_tools,
                        &mut arrivals.refused_projects,
                        &mut arrivals.refused_sessions,
                    ][kind]
                        .insert(name);
                    continue;
                }
                arrivals.counts[kind] += 1;
                if kind == SESSIONS {
                    arrivals.sessions.insert(name, member);
                }
            }
        }
        let mut admitted: Vec<&str> = new[TOOLS].iter().take(allowed[TOOLS]).copied().collect();
        admitted.sort_unstable();
        catalogue::add(transaction, org, &admitted, now).await?;
        Ok(arrivals)
    }

    /// Writes down how much was new.
    pub(super) async fn record(
        &self,
        transaction: &Transaction<'_>,
        org: OrgId,
        upload: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        record(transaction, org, upload, now, self.counts).await
    }
}

const TOOLS: usize = 0;
const SESSIONS: usize = 2;

/// Adds those of the tools that are new to the catalogue, as far as the org may get new ones today. `tools` is sorted.
/// Returns the others.
pub(crate) async fn admit_tools<'a>(
    transaction: &Transaction<'_>,
    org: OrgId,
    tools: &[&'a str],
    now: DateTime<Utc>,
) -> Result<HashSet<&'a str>, StoreError> {
    let statement = transaction
        .prepare_cached(include_str!("arrivals/unknown.sql"))
        .await?;
    let none: [&str; 0] = [];
    let row = transaction
        .query_one(&statement, &[&org.0, &tools, &&none[..], &&none[..]])
        .await?;
    let new: Vec<&str> = row.try_get("tools")?;
    if new.is_empty() {
        return Ok(HashSet::new());
    }
    let [allowed, ..] = allowance(transaction, org, now).await?;
    let (admitted, refused) = new.split_at(allowed.min(new.len()));
    catalogue::add(transaction, org, admitted, now).await?;
    if !admitted.is_empty() {
        let count = i32::try_from(admitted.len()).unwrap_or(i32::MAX);
        record(transaction, org, Uuid::now_v7(), now, [count, 0, 0]).await?;
    }
    // The caller's names, not those of the row.
    let refused: HashSet<&str> = refused.iter().copied().collect();
    Ok(tools
        .iter()
        .copied()
        .filter(|tool| refused.contains(tool))
        .collect())
}

/// How many more tools, projects and sessions the org may get today.
async fn allowance(
    transaction: &Transaction<'_>,
    org: OrgId,
    now: DateTime<Utc>,
) -> Result<[usize; 3], StoreError> {
    let statement = transaction
        .prepare_cached(include_str!("arrivals/allowance.sql"))
        .await?;
    let row = transaction
        .query_one(&statement, &[&org.0, &now.date_naive()])
        .await?;
    let allowed: [i64; 3] = [
        row.try_get("tools")?,
        row.try_get("projects")?,
        row.try_get("sessions")?,
    ];
    Ok(allowed.map(|allowed| usize::try_from(allowed).unwrap_or(0)))
}

/// Over how many rows the counts of a day are spread.
const SLOTS: u8 = 16;

/// Counts what was new.
async fn record(
    transaction: &Transaction<'_>,
    org: OrgId,
    upload: Uuid,
    now: DateTime<Utc>,
    [tools, projects, sessions]: [i32; 3],
) -> Result<(), StoreError> {
    if [tools, projects, sessions] == [0; 3] {
        return Ok(());
    }
    // The last bits of an upload's id are random.
    let slot = i32::from(upload.as_bytes()[15] % SLOTS);
    let statement = transaction
        .prepare_cached(include_str!("arrivals/record.sql"))
        .await?;
    transaction
        .execute(
            &statement,
            &[&org.0, &now.date_naive(), &slot, &tools, &projects, &sessions],
        )
        .await?;
    Ok(())
}
