//! Comparing everything that is derived with the events, and counting anew what differs.

use std::time::Duration;

use chrono::NaiveDate;
use model::{MemberId, OrgId};
use tokio_postgres::{Client, Transaction};

use super::{
    boards, queue,
    refresh::{clock, last_day, record_org, snapshot},
    rollup,
};
use crate::{Store, StoreError, row, session::SessionLimits, usage};

/// Comparing the boards of an org reads all of its events.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(3_600),
    lock: Duration::from_secs(60),
    idle_in_transaction: Duration::ZERO,
};

/// The result of [`Store::rebuild`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows of `usage_days` that were compared with the events.
    pub days: i64,
    /// Rows that differed, those of totals and boards among them, and were rewritten. Always 0; anything else is a bug
    /// of toolhub.
    pub differences: i64,
}

impl Store {
    /// Compares the rollup with the events, member by member, and the boards with both, org by org; rewrites what
    /// differs, and refreshes everything. Uploads go on meanwhile: what is compared is of one snapshot, and only a
    /// member whose rollup differs makes them wait.
    ///
    /// # Errors
    /// When the database fails. What was corrected before stays corrected.
    pub async fn rebuild(&self) -> Result<Rebuilt, StoreError> {
        let mut session = self.session("rebuild", &LIMITS).await?;
        let members = session.query(include_str!("rebuild/members.sql"), &[]).await?;
        let mut rebuilt = Rebuilt::default();
        for row in members {
            let (org, member) = (OrgId(row.try_get("org_id")?), MemberId(row.try_get("member_id")?));
            let (days, differences) = rebuild_member(&mut session, org, member).await?;
            rebuilt.days += days;
            rebuilt.differences += differences;
        }
        let orgs = session
            .query(
                "-- derived::rebuild::rebuild\nselect org_id from orgs order by org_id",
                &[],
            )
            .await?;
        let mut lock = self.session("rebuild lock", &LIMITS).await?;
        for row in orgs {
            let org = OrgId(row.try_get("org_id")?);
            // No refresh of another process meanwhile.
            let guard = lock.transaction().await?;
            guard.execute(include_str!("rebuild/lock.sql"), &[]).await?;
            rebuilt.differences += rebuild_boards(&mut session, org).await?;
            guard.commit().await?;
        }
        let members = session
            .query(
                "-- derived::rebuild::rebuild (usage)\n\
                 select distinct org_id, member_id from members order by org_id, member_id",
                &[],
            )
            .await?;
        for row in members {
            let (org, member) = (OrgId(row.try_get("org_id")?), MemberId(row.try_get("member_id")?));
            rebuilt.differences += usage::compare(&mut session, org, member).await?;
        }
        self.refresh().await?;
        Ok(rebuilt)
    }

    /// Lets the next refresh count everything of an org anew, for programs that write the tables themselves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_anew(&self, org: OrgId) -> Result<(), StoreError> {
        let session = self.session("count anew", &LIMITS).await?;
        queue::everything(&*session, org).await
    }
}

/// Returns how many days the member has, and how many of them and of the totals differed from the events.
async fn rebuild_member(
    session: &mut Client,
    org: OrgId,
    member: MemberId,
) -> Result<(i64, i64), StoreError> {
    let (days, differences) = rollup::compare(session, org, member).await?;
    if differences == 0 {
        return Ok((days, 0));
    }
    let transaction = session.transaction().await?;
    rollup::lock(&transaction).await?;
    let (_, differences) = rollup::compare(&transaction, org, member).await?;
    tracing::error!(
        org = org.0,
        member = member.0,
        differences,
        "the rollup differed from the events"
    );
    rollup::recount(&transaction, org, member, None).await?;
    queue::everything(&transaction, org).await?;
    transaction.commit().await?;
    Ok((days, differences))
}

/// Counts what is pending for an org, compares its boards with the rollup and the events, and counts them anew if they
/// differ. Returns how many rows differed.
async fn rebuild_boards(session: &mut Client, org: OrgId) -> Result<i64, StoreError> {
    let today = last_day(session, org).await?;
    let differences = match compare_boards(session, org, today).await {
        Ok(0) => return Ok(0),
        Ok(differences) => differences,
        Err(error) if error.is_temporary() => return Err(error),
        Err(error) => {
            tracing::error!(org = org.0, %error, "the boards of an org could not be refreshed");
            1
        }
    };
    tracing::error!(org = org.0, differences, "the boards differed from the events");
    let as_of = clock(session).await?;
    let transaction = snapshot(session).await?;
    for sql in [
        include_str!("rebuild/forget_days.sql"),
        include_str!("rebuild/forget_medians.sql"),
        include_str!("rebuild/forget_boards.sql"),
        include_str!("rebuild/forget_loaded_days.sql"),
        include_str!("rebuild/forget_loaded.sql"),
        include_str!("rebuild/forget_members.sql"),
        include_str!("rebuild/count_members.sql"),
    ] {
        transaction.execute(sql, &[&org.0]).await?;
    }
    queue::everything(&transaction, org).await?;
    boards::count(&transaction, org, today).await?;
    record_org(&transaction, org, today, as_of).await?;
    transaction.commit().await?;
    Ok(differences)
}

async fn compare_boards(session: &mut Client, org: OrgId, today: NaiveDate) -> Result<i64, StoreError> {
    let as_of = clock(session).await?;
    let transaction = snapshot(session).await?;
    boards::count(&transaction, org, today).await?;
    let differences = differences(&transaction, org, today).await?;
    if differences == 0 {
        record_org(&transaction, org, today, as_of).await?;
        transaction.commit().await?;
    }
    Ok(differences)
}

async fn differences(transaction: &Transaction<'_>, org: OrgId, today: NaiveDate) -> Result<i64, StoreError> {
    let windows = boards::all_windows(transaction).await?;
    let checks = [
        transaction
            .query_one(include_str!("rebuild/days.sql"), &[&org.0])
            .await?,
        transaction
            .query_one(include_str!("rebuild/medians.sql"), &[&org.0, &today])
            .await?,
        transaction
            .query_one(include_str!("rebuild/boards.sql"), &[&org.0, &today, &windows])
            .await?,
        transaction
            .query_one(include_str!("rebuild/loaded.sql"), &[&org.0, &today, &windows])
            .await?,
        transaction
            .query_one(include_str!("rebuild/loaded_days.sql"), &[&org.0])
            .await?,
    ];
    let mut differences = 0;
    for row in &checks {
        differences += row::only::<i64>(row)?;
    }
    Ok(differences)
}
