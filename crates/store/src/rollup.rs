//! The rollup: what each member called on each UTC day, per tool and project (`usage_days`), and those days added up
//! (`usage_totals`).
//!
//! It is updated in the transaction of the ingest ([`changes`]), so events and rollup agree in every snapshot of the
//! database, and [`Store::rebuild`] never finds a difference.
//!
//! **Code that deletes events** (`privacy::erase`, `privacy::retention`) locks the row of the member `for update` first:
//! every ingest holds that row `for key share` from its first statement on, so none of the member's is running. All
//! events of a member, or of whole days of a member, go together with their rows here. Without the lock an ingest that
//! has inserted its events and not yet its days could be counted twice or not at all.

mod changes;

use std::time::Duration;

use model::{MemberId, OrgId};
use tokio_postgres::GenericClient;

pub(crate) use self::changes::{Changes, UpgradedEvent};
use crate::{Store, StoreError, row, session::SessionLimits};

/// A rebuild reads every event, member by member.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(600),
    lock: Duration::from_secs(60),
    idle_in_transaction: Duration::from_secs(60),
};

/// Blocks ingests from changing the rollup until the transaction ends. The first statement of a transaction that
/// deletes events; such a transaction must be short, because uploads wait for it.
pub(crate) async fn lock(client: &impl GenericClient) -> Result<(), StoreError> {
    client
        .batch_execute("/* rollup::lock */ lock table usage_days in exclusive mode")
        .await?;
    Ok(())
}

/// Deletes a member's rows, in a transaction that holds [`lock`] or has locked the row of the member.
pub(crate) async fn forget(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    client
        .execute(include_str!("rollup/forget_days.sql"), &[&org.0, &member.0])
        .await?;
    forget_totals(client, org, member).await
}

async fn forget_totals(client: &impl GenericClient, org: OrgId, member: MemberId) -> Result<(), StoreError> {
    client
        .execute(include_str!("rollup/forget_totals.sql"), &[&org.0, &member.0])
        .await?;
    Ok(())
}

/// Rewrites a member's rows from the member's events, in a transaction that holds [`lock`].
async fn rebuild_member(client: &impl GenericClient, org: OrgId, member: MemberId) -> Result<(), StoreError> {
    forget(client, org, member).await?;
    client
        .execute(include_str!("rollup/rebuild_days.sql"), &[&org.0, &member.0])
        .await?;
    rebuild_totals(client, org, member).await
}

/// Rewrites a member's totals from the member's days, in a transaction that holds [`lock`] or has locked the row of
/// the member.
pub(crate) async fn rebuild_totals(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    forget_totals(client, org, member).await?;
    client
        .execute(include_str!("rollup/rebuild_totals.sql"), &[&org.0, &member.0])
        .await?;
    Ok(())
}

/// The result of [`Store::rebuild`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows of `usage_days` that were compared with the events.
    pub days: i64,
    /// Rows that differed, totals among them, and were rewritten. Always 0; anything else is a bug of toolhub.
    pub differences: i64,
}

/// How many days a member has, in the rollup or by the events; and how many of them, and of the totals, differ.
async fn compare(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(i64, i64), StoreError> {
    let key: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&org.0, &member.0];
    let days = client
        .query_one(include_str!("rollup/compare_days.sql"), &key)
        .await?;
    let totals = client
        .query_one(include_str!("rollup/compare_totals.sql"), &key)
        .await?;
    Ok((
        days.try_get("days")?,
        days.try_get::<_, i64>("differences")? + row::only::<i64>(&totals)?,
    ))
}

impl Store {
    /// Compares the rollup with the events and rewrites what differs, member by member; then refreshes the scores.
    /// Uploads go on meanwhile: events and rollup are compared in one snapshot, and only a member with a difference
    /// makes them wait.
    ///
    /// # Errors
    /// When the database fails. Members that were corrected before stay corrected.
    pub async fn rebuild(&self) -> Result<Rebuilt, StoreError> {
        let mut session = self.session("rebuild", &LIMITS).await?;
        let members = session.query(include_str!("rollup/members.sql"), &[]).await?;
        let mut rebuilt = Rebuilt::default();
        for row in members {
            let (org, member) = (OrgId(row.try_get("org_id")?), MemberId(row.try_get("member_id")?));
            let (days, differences) = compare(&*session, org, member).await?;
            rebuilt.days += days;
            if differences == 0 {
                continue;
            }
            let transaction = session.transaction().await?;
            lock(&transaction).await?;
            let (_, differences) = compare(&transaction, org, member).await?;
            tracing::error!(
                org = org.0,
                member = member.0,
                differences,
                "the rollup differed from the events"
            );
            rebuilt.differences += differences;
            rebuild_member(&transaction, org, member).await?;
            transaction.commit().await?;
        }
        self.refresh().await?;
        Ok(rebuilt)
    }
}
