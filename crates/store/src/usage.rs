//! What the responses of models used: `session_usage`, one row for each response of a member, and its days.
//!
//! One transaction of an org writes it at a time, so that of two members who upload the same response one sees the row
//! of the other. No transaction waits for it with a connection in hand.

mod days;
mod report;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    usage::{Response, Spent, UsageReceipt},
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use self::days::{Difference, count_for_others, lock};
pub(crate) use self::{
    days::{compare, delete_before},
    report::totals_of,
};
use crate::{Store, StoreError, policy, session::plan_for_any_org};

impl Store {
    /// Stores what responses used, in one transaction. Reports of a response merge ([`Spent::merge`]); sending one again
    /// changes nothing. The responses are checked already. `is_vendor_cost`: their costs are the vendor's own figures.
    ///
    /// # Errors
    /// Nothing is stored then. [`StoreError::MembersBusy`] while another transaction writes the usage of the org, or the
    /// member's data is being deleted.
    pub async fn usage_put(
        &self,
        org: OrgId,
        member: MemberId,
        responses: &[Response],
        is_vendor_cost: bool,
        now: DateTime<Utc>,
    ) -> Result<UsageReceipt, StoreError> {
        let mut receipt = UsageReceipt {
            received: responses.len() as u64,
            ..UsageReceipt::default()
        };
        if responses.is_empty() {
            return Ok(receipt);
        }
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let policies = policy::read(&transaction, org, std::iter::once(member), now).await?;
        let policy = policies.get(&member).copied().unwrap_or_default();
        let mut reported: BTreeMap<Uuid, Spent> = BTreeMap::new();
        for response in responses {
            if policy.is_past(response.occurred_at) {
                receipt.rejected += 1;
                receipt.rejection.get_or_insert_with(|| {
                    "the member deleted what occurred before, or the org keeps nothing of this age".to_owned()
                });
                continue;
            }
            let spent = Spent::of(response, is_vendor_cost);
            match reported.entry(Uuid::from_bytes(response.key())) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(spent);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().merge(&spent);
                    receipt.duplicate += 1;
                }
            }
        }
        if !try_lock(&transaction, org).await? {
            return Err(StoreError::MembersBusy(vec![member]));
        }
        plan_for_any_org(&transaction).await?;
        merge(&transaction, org, member, reported, &mut receipt).await?;
        transaction.commit().await?;
        Ok(receipt)
    }
}

/// What is stored of a response: of the member, and whether another member has it.
#[derive(Default)]
struct Known {
    own: Option<Stored>,
    of_others: bool,
}

#[derive(Clone, PartialEq)]
struct Stored {
    spent: Spent,
    already_counted: bool,
}

async fn merge(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    reported: BTreeMap<Uuid, Spent>,
    receipt: &mut UsageReceipt,
) -> Result<(), StoreError> {
    let keys: Vec<Uuid> = reported.keys().copied().collect();
    let mut known = stored(transaction, org, member, &keys).await?;
    let mut changed: Vec<(Uuid, Stored)> = Vec::new();
    let mut difference = Difference::default();
    for (key, spent) in reported {
        let Known { own, of_others } = known.remove(&key).unwrap_or_default();
        let new = match &own {
            Some(own) => {
                let mut merged = own.clone();
                merged.spent.merge(&spent);
                if merged == *own {
                    receipt.duplicate += 1;
                    continue;
                }
                receipt.upgraded += 1;
                difference.add(&own.spent, own.already_counted, -1);
                merged
            }
            None => {
                receipt.inserted += 1;
                receipt.already_counted += u64::from(of_others);
                Stored {
                    spent,
                    already_counted: of_others,
                }
            }
        };
        difference.add(&new.spent, new.already_counted, 1);
        changed.push((key, new));
    }
    if changed.is_empty() {
        return Ok(());
    }
    write(transaction, org, member, &changed).await?;
    difference.write(transaction, org, member).await
}

async fn stored(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    keys: &[Uuid],
) -> Result<BTreeMap<Uuid, Known>, StoreError> {
    let statement = transaction
        .prepare_cached(include_str!("usage/stored.sql"))
        .await?;
    let mut known: BTreeMap<Uuid, Known> = BTreeMap::new();
    for row in transaction.query(&statement, &[&org.0, &keys]).await? {
        let entry = known.entry(row.try_get("response_key")?).or_default();
        if row.try_get::<_, i64>("member_id")? == member.0 {
            entry.own = Some(read(&row)?);
        } else {
            entry.of_others = true;
        }
    }
    Ok(known)
}

fn read(row: &Row) -> Result<Stored, StoreError> {
    let tokens: [i32; 4] = [
        row.try_get("input_tokens")?,
        row.try_get("output_tokens")?,
        row.try_get("cache_read_tokens")?,
        row.try_get("cache_write_tokens")?,
    ];
    Ok(Stored {
        spent: Spent {
            occurred_at: row.try_get("occurred_at")?,
            session_id: row.try_get("session_id")?,
            project: row.try_get("project")?,
            model: row.try_get("model")?,
            tokens: tokens.map(i64::from),
            cost_micro_usd: row.try_get("cost_micro_usd")?,
            is_vendor_cost: row.try_get("vendor_cost")?,
        },
        already_counted: row.try_get("already_counted")?,
    })
}

async fn write(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    changed: &[(Uuid, Stored)],
) -> Result<(), StoreError> {
    let keys: Vec<Uuid> = changed.iter().map(|(key, _)| *key).collect();
    let spent = || changed.iter().map(|(_, stored)| &stored.spent);
    let occurred_at: Vec<DateTime<Utc>> = spent().map(|spent| spent.occurred_at).collect();
    let session_id: Vec<Option<&str>> = spent().map(|spent| spent.session_id.as_deref()).collect();
    let project: Vec<Option<&str>> = spent().map(|spent| spent.project.as_deref()).collect();
    let model: Vec<Option<&str>> = spent().map(|spent| spent.model.as_deref()).collect();
    let cost: Vec<Option<i64>> = spent().map(|spent| spent.cost_micro_usd).collect();
    let vendor_cost: Vec<bool> = spent().map(|spent| spent.is_vendor_cost).collect();
    let tokens = |of: usize| -> Vec<i32> {
        // Checked at the door: limits::RESPONSE_TOKENS.
        spent()
            .map(|spent| i32::try_from(spent.tokens[of]).unwrap_or(i32::MAX))
            .collect()
    };
    let tokens = [tokens(0), tokens(1), tokens(2), tokens(3)];
    let already_counted: Vec<bool> = changed.iter().map(|(_, stored)| stored.already_counted).collect();
    let statement = transaction
        .prepare_cached(include_str!("usage/write.sql"))
        .await?;
    let parameters: [&(dyn ToSql + Sync); 14] = [
        &org.0,
        &member.0,
        &keys,
        &occurred_at,
        &session_id,
        &project,
        &model,
        &cost,
        &vendor_cost,
        &tokens[0],
        &tokens[1],
        &tokens[2],
        &tokens[3],
        &already_counted,
    ];
    transaction.execute(&statement, &parameters).await?;
    Ok(())
}

/// Locks the usage of an org against other writers, without waiting. False while one has it.
async fn try_lock(transaction: &Transaction<'_>, org: OrgId) -> Result<bool, StoreError> {
    let locked = transaction
        .query_opt(
            "-- usage::try_lock\nselect from orgs where org_id = $1 for no key update skip locked",
            &[&org.0],
        )
        .await?;
    Ok(locked.is_some())
}

/// Deletes the usage of a member. Returns how many responses there were, and when the last of them occurred.
pub(crate) async fn delete_member(
    transaction: &tokio_postgres::Transaction<'_>,
    org: OrgId,
    member: MemberId,
) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    lock(transaction, org).await?;
    let row = transaction
        .query_one(
            "-- usage::delete_member\n\
             with gone as (delete from session_usage where org_id = $1 and member_id = $2 returning occurred_at)\n\
             select count(*) as responses, max(occurred_at) as last from gone",
            &[&org.0, &member.0],
        )
        .await?;
    transaction
        .execute(
            "-- usage::delete_member (days)\ndelete from session_usage_days where org_id = $1 and member_id = $2",
            &[&org.0, &member.0],
        )
        .await?;
    count_for_others(transaction, org).await?;
    Ok((row.try_get("responses")?, row.try_get("last")?))
}
