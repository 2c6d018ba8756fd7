//! The rollup: what each member called on each UTC day, per tool and project (`usage_days`), and those days added up
//! (`usage_totals`).
//!
//! It is updated in the transaction of the ingest ([`changes`]), so events and rollup agree in every snapshot of the
//! database, and [`crate::Store::rebuild`] never finds a difference.
//!
//! **Code that deletes events** (`privacy::erase`, `privacy::retention`) locks the row of the member `for update` first:
//! every ingest holds that row `for key share` from its first statement on, so none of the member's is running. All
//! events of a member, or of whole days of a member, go together with their rows here. Without the lock an ingest that
//! has inserted its events and not yet its days could be counted twice or not at all.

mod changes;

use chrono::NaiveDate;
use model::{MemberId, OrgId};
use tokio_postgres::GenericClient;

pub(crate) use self::changes::{Changes, UpgradedEvent};
use crate::{StoreError, row};

/// Blocks ingests from changing the rollup until the transaction ends. The first statement of a transaction that
/// deletes events; such a transaction must be short, because uploads wait for it.
pub(crate) async fn lock(client: &impl GenericClient) -> Result<(), StoreError> {
    client
        .batch_execute("/* derived::rollup::lock */ lock table usage_days in exclusive mode")
        .await?;
    Ok(())
}

/// The first and the last of some days.
pub(crate) type Days = (NaiveDate, NaiveDate);

/// Deletes a member's rows, in a transaction that holds [`lock`] or has locked the row of the member.
pub(crate) async fn forget(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    forget_days(client, org, member, None).await?;
    forget_totals(client, org, member).await
}

async fn forget_days(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
    days: Option<Days>,
) -> Result<(), StoreError> {
    let (first, last) = days.unzip();
    client
        .execute(
            include_str!("rollup/forget_days.sql"),
            &[&org.0, &member.0, &first, &last],
        )
        .await?;
    Ok(())
}

async fn forget_totals(client: &impl GenericClient, org: OrgId, member: MemberId) -> Result<(), StoreError> {
    client
        .execute(include_str!("rollup/forget_totals.sql"), &[&org.0, &member.0])
        .await?;
    Ok(())
}

/// Rewrites a member's rows of some days, or all, from the member's events, in a transaction that holds [`lock`] or has
/// locked the row of the member.
pub(crate) async fn recount(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
    days: Option<Days>,
) -> Result<(), StoreError> {
    forget_days(client, org, member, days).await?;
    let (first, last) = days.unzip();
    client
        .execute(
            include_str!("rollup/rebuild_days.sql"),
            &[&org.0, &member.0, &first, &last],
        )
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

/// How many days a member has, in the rollup or by the events; and how many of them, and of the totals, differ.
pub(super) async fn compare(
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
