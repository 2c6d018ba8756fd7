//! The days of `session_usage`: kept with it, deleted by the retention, and compared with it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use model::{MemberId, OrgId, usage::Spent};
use tokio_postgres::{GenericClient, Transaction, types::ToSql};

use crate::{StoreError, row};

/// The key of a day: the day, the model, the project, and whether the org counts it for another member.
type Key = (NaiveDate, String, String, bool);

/// What a transaction adds to the days of a member: responses, those with a cost, the cost, and tokens.
#[derive(Default)]
pub(super) struct Difference(BTreeMap<Key, [i64; 7]>);

impl Difference {
    /// Adds a response, or takes it away.
    pub(super) fn add(&mut self, spent: &Spent, already_counted: bool, sign: i64) {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let key = (
            spent.occurred_at.date_naive(),
            name(&spent.model),
            name(&spent.project),
            already_counted,
        );
        let [input, output, cache_read, cache_write] = spent.tokens;
        let figures = [
            1,
            i64::from(spent.cost_micro_usd.is_some()),
            spent.cost_micro_usd.unwrap_or_default(),
            input,
            output,
            cache_read,
            cache_write,
        ];
        let sums = self.0.entry(key).or_default();
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += sign * figure;
        }
    }

    pub(super) async fn write(
        mut self,
        transaction: &deadpool_postgres::Transaction<'_>,
        org: OrgId,
        member: MemberId,
    ) -> Result<(), StoreError> {
        self.0.retain(|_, sums| *sums != [0; 7]);
        let days: Vec<NaiveDate> = self.0.keys().map(|key| key.0).collect();
        let models: Vec<&str> = self.0.keys().map(|key| key.1.as_str()).collect();
        let projects: Vec<&str> = self.0.keys().map(|key| key.2.as_str()).collect();
        let already_counted: Vec<bool> = self.0.keys().map(|key| key.3).collect();
        let sums: Vec<Vec<i64>> = (0..7)
            .map(|at| self.0.values().map(|sums| sums[at]).collect())
            .collect();
        let mut parameters: Vec<&(dyn ToSql + Sync)> =
            vec![&org.0, &member.0, &days, &models, &projects, &already_counted];
        parameters.extend(sums.iter().map(|sums| sums as &(dyn ToSql + Sync)));
        let statement = transaction.prepare_cached(include_str!("days/add.sql")).await?;
        transaction.execute(&statement, &parameters).await?;
        let emptied: Vec<NaiveDate> = self
            .0
            .iter()
            .filter(|(_, sums)| sums[0] < 0)
            .map(|(key, _)| key.0)
            .collect();
        if !emptied.is_empty() {
            transaction
                .execute(
                    include_str!("days/drop_empty.sql"),
                    &[&org.0, &member.0, &emptied],
                )
                .await?;
        }
        Ok(())
    }
}

/// Locks the usage of an org against other writers, as long as the session waits for locks.
pub(crate) async fn lock(client: &impl GenericClient, org: OrgId) -> Result<(), StoreError> {
    client
        .query_opt(
            "-- usage::days::lock\nselect from orgs where org_id = $1 for no key update",
            &[&org.0],
        )
        .await?;
    Ok(())
}

/// Counts the days of a member again. Call it with the lock of the org's usage.
pub(crate) async fn recount(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    client
        .execute(
            "-- usage::days::recount (delete)\n\
             delete from session_usage_days where org_id = $1 and member_id = $2",
            &[&org.0, &member.0],
        )
        .await?;
    client
        .execute(include_str!("days/count.sql"), &[&org.0, &member.0])
        .await?;
    Ok(())
}

/// Lets the org count the responses of which the counted copy is gone. Call it with the lock of the org's usage.
pub(crate) async fn count_for_others(transaction: &Transaction<'_>, org: OrgId) -> Result<(), StoreError> {
    let members = transaction
        .query(include_str!("days/count_for_others.sql"), &[&org.0])
        .await?;
    for row in members {
        recount(transaction, org, MemberId(row.try_get("member_id")?)).await?;
    }
    Ok(())
}

/// How many days of a member differ from the responses. Where one does they are counted again.
pub(crate) async fn compare(
    session: &mut tokio_postgres::Client,
    org: OrgId,
    member: MemberId,
) -> Result<i64, StoreError> {
    let transaction = session.transaction().await?;
    let sql = include_str!("days/compare.sql");
    let differences = row::only::<i64>(&transaction.query_one(sql, &[&org.0, &member.0]).await?)?;
    if differences == 0 {
        transaction.commit().await?;
        return Ok(0);
    }
    lock(&transaction, org).await?;
    let differences = row::only::<i64>(&transaction.query_one(sql, &[&org.0, &member.0]).await?)?;
    if differences > 0 {
        tracing::error!(
            org = org.0,
            member = member.0,
            differences,
            "the days of usage differed from the responses"
        );
        recount(&transaction, org, member).await?;
    }
    transaction.commit().await?;
    Ok(differences)
}

/// Deletes what occurred before a time, which is the beginning of a day, a day of a member at a time. Returns how many
/// responses there were.
pub(crate) async fn delete_before(
    session: &mut tokio_postgres::Client,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let days = session
        .query(
            "-- usage::days::delete_before\n\
             select distinct member_id, day from session_usage_days where org_id = $1 and day < $2 order by member_id, day",
            &[&org.0, &since.date_naive()],
        )
        .await?;
    let mut deleted = 0;
    for row in days {
        let (member, day): (i64, NaiveDate) = (row.try_get("member_id")?, row.try_get("day")?);
        let transaction = session.transaction().await?;
        lock(&transaction, org).await?;
        deleted += delete_day(&transaction, org, MemberId(member), day).await?;
        transaction.commit().await?;
    }
    if deleted > 0 {
        let transaction = session.transaction().await?;
        lock(&transaction, org).await?;
        count_for_others(&transaction, org).await?;
        transaction.commit().await?;
    }
    Ok(deleted)
}

async fn delete_day(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    day: NaiveDate,
) -> Result<u64, StoreError> {
    let deleted = transaction
        .execute(
            "-- usage::days::delete_day (responses)\n\
             delete from session_usage where org_id = $1 and member_id = $2\n\
             and occurred_at >= $3::date::timestamp at time zone 'UTC'\n\
             and occurred_at < ($3::date + 1)::timestamp at time zone 'UTC'",
            &[&org.0, &member.0, &day],
        )
        .await?;
    transaction
        .execute(
            "-- usage::days::delete_day (days)\n\
             delete from session_usage_days where org_id = $1 and member_id = $2 and day = $3",
            &[&org.0, &member.0, &day],
        )
        .await?;
    Ok(deleted)
}
