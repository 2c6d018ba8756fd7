//! The boards of one org: counted from what is pending for it, in one transaction with one snapshot.
//!
//! The steps, each a statement or two: count the days that changed ([`days`]); move the medians of the tools
//! ([`medians`]); count the windows of the subjects that changed, or of all on another day ([`windows`]); the same for
//! loaded tools; and delete what was pending.

mod days;
mod loaded;
mod medians;

use chrono::{NaiveDate, TimeDelta};
use model::OrgId;
use tokio_postgres::Transaction;

use crate::{StoreError, row};

/// What a refresh of an org counts.
struct Scope {
    org: OrgId,
    /// The UTC day on which the windows end.
    today: NaiveDate,
    /// The day on which they ended before; `None` at the first refresh of the org.
    before: Option<NaiveDate>,
    /// The lengths of the windows in days, ascending; 0 is everything.
    windows: Vec<i32>,
    /// The windows are others than before, or so far from those before that every subject is counted anew.
    anew: bool,
}

impl Scope {
    /// True when the windows of subjects without changes can have changed, too.
    fn all(&self) -> bool {
        self.anew || self.before.is_some_and(|before| before != self.today)
    }
}

/// From one day to another further apart than this, medians are found anew: the days that left would be most of a
/// window.
const LONGEST_MOVE: TimeDelta = TimeDelta::days(31);

/// Counts what is pending for an org, and what another day has changed. Returns how many rows of boards and of loaded
/// tools were written. The transaction is `repeatable read`, and nothing was read in it before.
pub(super) async fn count(
    transaction: &Transaction<'_>,
    org: OrgId,
    today: NaiveDate,
) -> Result<i64, StoreError> {
    let scope = read_scope(transaction, org, today).await?;
    days::count(transaction, &scope).await?;
    medians::follow(transaction, &scope).await?;
    let boards = windows(transaction, &scope).await?;
    let loaded = loaded::count(transaction, &scope).await?;
    transaction
        .execute(include_str!("boards/delete_pending.sql"), &[&org.0])
        .await?;
    Ok(i64::try_from(boards + loaded).unwrap_or(i64::MAX))
}

/// The lengths of the windows in days, ascending.
pub(super) async fn all_windows(transaction: &Transaction<'_>) -> Result<Vec<i32>, StoreError> {
    row::only(
        &transaction
            .query_one(include_str!("boards/windows.sql"), &[])
            .await?,
    )
}

async fn read_scope(
    transaction: &Transaction<'_>,
    org: OrgId,
    today: NaiveDate,
) -> Result<Scope, StoreError> {
    let windows = all_windows(transaction).await?;
    let state = transaction
        .query_opt(include_str!("boards/state.sql"), &[&org.0])
        .await?;
    let mut scope = Scope {
        org,
        today,
        before: None,
        windows,
        anew: false,
    };
    if let Some(state) = state {
        let before: NaiveDate = state.try_get("today")?;
        let known: Vec<i32> = state.try_get("windows")?;
        let moved = today - before;
        scope.before = Some(before);
        scope.anew = known != scope.windows || moved < TimeDelta::zero() || moved > LONGEST_MOVE;
    }
    Ok(scope)
}

/// Returns how many rows were written.
async fn windows(transaction: &Transaction<'_>, scope: &Scope) -> Result<u64, StoreError> {
    let Scope {
        org, today, windows, ..
    } = scope;
    let gone = transaction
        .execute(
            include_str!("boards/drop_empty.sql"),
            &[&org.0, today, &scope.all(), windows],
        )
        .await?;
    let counted = transaction
        .execute(
            include_str!("boards/count.sql"),
            &[&org.0, today, windows, &scope.all()],
        )
        .await?;
    transaction
        .execute(
            include_str!("boards/reach.sql"),
            &[&org.0, today, windows, &scope.all()],
        )
        .await?;
    Ok(gone + counted)
}
