//! One refresh of everything that is out of date.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use model::OrgId;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::{Refresh, View};
use crate::{
    Store, StoreError,
    derived::boards,
    row,
    session::{Session, SessionLimits, plan_for_any_org},
};

/// A refresh of one org takes a fraction of a second, the first one of a large org minutes.
const WORK_LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(600),
    lock: Duration::from_secs(10),
    idle_in_transaction: Duration::from_secs(60),
};

/// The session with the lock waits inside its transaction while the other one works.
const LOCK_LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(60),
    lock: Duration::from_secs(10),
    idle_in_transaction: Duration::ZERO,
};

/// How many orgs that only another day has outdated one refresh takes on, and after how long it begins no further one: so
/// that at midnight the orgs with uploads do not wait for all others.
const MAX_OUTDATED_ORGS: i64 = 20;
const MAX_OUTDATED_TIME: Duration = Duration::from_millis(300);

/// Two connections of its own, kept open: requests that use up all others do not keep it from refreshing.
///
/// One holds the lock in a transaction, and not in its session, which a connection pooler could give to somebody else.
pub struct Refresher {
    lock: Session,
    work: Session,
}

/// What a refresh may do.
enum Start<'t> {
    Now {
        guard: Transaction<'t>,
        started_at: DateTime<Utc>,
        has_news: bool,
    },
    Not(Refresh),
}

impl Store {
    /// Connections for refreshing.
    ///
    /// # Errors
    /// When the database gives no connection.
    pub async fn refresher(&self) -> Result<Refresher, StoreError> {
        Ok(Refresher {
            lock: self.session("refresh lock", &LOCK_LIMITS).await?,
            work: self.session("refresh", &WORK_LIMITS).await?,
        })
    }
}

impl Refresher {
    /// True when a connection has ended: the next refresh needs a new refresher.
    pub fn is_closed(&self) -> bool {
        self.lock.is_closed() || self.work.is_closed()
    }

    /// Refreshes the boards of the orgs that need it, windows ending on `today`. Between two refreshes the database
    /// rests for `rest` times the length of the first; with 0 it does not, and is always [`Refresh::Done`] or
    /// [`Refresh::Busy`].
    ///
    /// # Errors
    /// When the database fails. An error with the data of one org is recorded for that org and ends nothing.
    pub async fn boards(&mut self, today: NaiveDate, rest: u32) -> Result<Refresh, StoreError> {
        let done = boards_once(&mut self.lock, &mut self.work, today, rest).await;
        self.recorded(View::Boards, done).await
    }

    /// Refreshes the materialized view `tool_scores` without blocking its readers, when the boards are newer or `rest`
    /// is 0.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scores(&mut self, rest: u32) -> Result<Refresh, StoreError> {
        let done = scores_once(&mut self.lock, &mut self.work, rest).await;
        self.recorded(View::Scores, done).await
    }

    async fn recorded(&self, view: View, done: Result<Refresh, StoreError>) -> Result<Refresh, StoreError> {
        if let Err(error) = &done
            && !self.work.is_closed()
        {
            let sql = include_str!("cycle/record_error.sql");
            self.work
                .execute(sql, &[&view.as_str(), &error.to_string()])
                .await?;
        }
        done
    }
}

async fn begin(lock: &mut Client, view: View, rest: u32) -> Result<Start<'_>, StoreError> {
    let guard = lock.transaction().await?;
    let locked = guard
        .query_one(include_str!("cycle/lock.sql"), &[&view.as_str()])
        .await?;
    if !row::only::<bool>(&locked)? {
        return Ok(Start::Not(Refresh::Busy));
    }
    let pace = guard
        .query_one(
            include_str!("cycle/pace.sql"),
            &[&view.as_str(), &i64::from(rest)],
        )
        .await?;
    let rest_ms: i64 = pace.try_get("rest_ms")?;
    if rest > 0 && rest_ms > 0 {
        let left = Duration::from_millis(rest_ms.unsigned_abs());
        return Ok(Start::Not(Refresh::Resting(left)));
    }
    Ok(Start::Now {
        guard,
        // Read before the pending changes are: what they name is committed, so the snapshot of the refresh holds it.
        started_at: pace.try_get("now")?,
        has_news: pace.try_get("has_news")?,
    })
}

async fn record(
    guard: Transaction<'_>,
    view: View,
    started_at: DateTime<Utc>,
    rows_changed: i64,
    more: bool,
) -> Result<Refresh, StoreError> {
    let recorded = guard
        .query_one(
            include_str!("cycle/record.sql"),
            &[&view.as_str(), &started_at, &rows_changed],
        )
        .await?;
    let duration_ms = recorded.try_get("duration_ms")?;
    guard.commit().await?;
    Ok(Refresh::Done {
        started_at,
        duration_ms,
        rows_changed,
        more,
    })
}

async fn boards_once(
    lock: &mut Client,
    work: &mut Session,
    today: NaiveDate,
    rest: u32,
) -> Result<Refresh, StoreError> {
    let (guard, started_at) = match begin(lock, View::Boards, rest).await? {
        Start::Now {
            guard, started_at, ..
        } => (guard, started_at),
        Start::Not(result) => return Ok(result),
    };
    let due = guard
        .query(include_str!("cycle/due.sql"), &[&today, &MAX_OUTDATED_ORGS])
        .await?;
    if due.is_empty() && rest > 0 {
        return Ok(Refresh::Unneeded);
    }
    analyze_new_tables(work).await?;
    let (mut rows_changed, mut outdated, mut more) = (0, 0, false);
    let began = Instant::now();
    for row in &due {
        let org = OrgId(row.try_get("org_id")?);
        if !row.try_get::<_, bool>("is_pending")? {
            if outdated > 0 && began.elapsed() > MAX_OUTDATED_TIME {
                more = true;
                break;
            }
            outdated += 1;
        }
        match count_org(work, org, today).await {
            Ok(rows) => rows_changed += rows,
            Err(error) if work.is_closed() => return Err(error),
            Err(error) => {
                tracing::warn!(org = org.0, %error, "cannot refresh the boards of an org; trying again in a minute");
                record_org_error(work, org, today, &error).await?;
            }
        }
    }
    record(
        guard,
        View::Boards,
        started_at,
        rows_changed,
        more || outdated == MAX_OUTDATED_ORGS,
    )
    .await
}

/// Counts an org in one snapshot. Returns how many rows were written.
async fn count_org(work: &mut Client, org: OrgId, today: NaiveDate) -> Result<i64, StoreError> {
    // Before the snapshot is taken, which holds everything that was committed by then.
    let as_of = clock(work).await?;
    let transaction = snapshot(work).await?;
    let rows = boards::count(&transaction, org, today).await?;
    record_org(&transaction, org, today, as_of).await?;
    transaction.commit().await?;
    Ok(rows)
}

/// The database's clock.
pub(in crate::derived) async fn clock(client: &Client) -> Result<DateTime<Utc>, StoreError> {
    let clock = client
        .query_one("-- derived::refresh::cycle::clock\nselect clock_timestamp()", &[])
        .await?;
    row::only(&clock)
}

/// Records that the boards of an org hold everything that was committed before `as_of`.
pub(in crate::derived) async fn record_org(
    transaction: &Transaction<'_>,
    org: OrgId,
    today: NaiveDate,
    as_of: DateTime<Utc>,
) -> Result<(), StoreError> {
    transaction
        .execute(include_str!("cycle/record_org.sql"), &[&org.0, &today, &as_of])
        .await?;
    Ok(())
}

/// A transaction in one snapshot, with the memory of a task that one session does and not many.
pub(in crate::derived) async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, StoreError> {
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await?;
    transaction
        .batch_execute(
            "/* derived::refresh::cycle::snapshot */ set local work_mem = '64MB'; set local jit = off",
        )
        .await?;
    plan_for_any_org(&transaction).await?;
    Ok(transaction)
}

async fn record_org_error(
    work: &Client,
    org: OrgId,
    today: NaiveDate,
    error: &StoreError,
) -> Result<(), StoreError> {
    work.execute(
        include_str!("cycle/record_org_error.sql"),
        &[&org.0, &today, &error.to_string()],
    )
    .await?;
    Ok(())
}

async fn scores_once(lock: &mut Client, work: &mut Client, rest: u32) -> Result<Refresh, StoreError> {
    let (guard, started_at) = match begin(lock, View::Scores, rest).await? {
        Start::Now { has_news: false, .. } if rest > 0 => return Ok(Refresh::Unneeded),
        Start::Now {
            guard, started_at, ..
        } => (guard, started_at),
        Start::Not(result) => return Ok(result),
    };
    let rows_changed = refresh_scores(work).await?;
    record(guard, View::Scores, started_at, rows_changed, false).await
}

/// Refreshes the materialized view. Returns how many rows changed.
async fn refresh_scores(work: &mut Client) -> Result<i64, StoreError> {
    let transaction = work.transaction().await?;
    transaction
        .batch_execute("/* derived::refresh::cycle::refresh_scores (memory) */ set local work_mem = '64MB'")
        .await?;
    let populated = transaction
        .query_one(include_str!("cycle/populated.sql"), &[])
        .await?;
    // A view that was never filled cannot be compared with its old contents.
    let concurrently = if row::only(&populated)? {
        "concurrently"
    } else {
        ""
    };
    transaction
        .batch_execute(&format!("refresh materialized view {concurrently} tool_scores"))
        .await?;
    let changed = transaction
        .query_one(include_str!("cycle/changed.sql"), &[])
        .await?;
    let rows_changed = row::only(&changed)?;
    transaction.commit().await?;
    Ok(rows_changed)
}

/// Gives the planner its first statistics of a table that has rows, without waiting for autovacuum: a statement planned
/// without statistics looks an event up by its member alone and reads all events of the member.
async fn analyze_new_tables(work: &Client) -> Result<(), StoreError> {
    let tables = work.query(include_str!("cycle/never_analyzed.sql"), &[]).await?;
    for table in tables {
        let table: String = row::only(&table)?;
        work.batch_execute(&format!("analyze {table}")).await?;
    }
    Ok(())
}
