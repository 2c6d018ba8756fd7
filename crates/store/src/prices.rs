//! Prices of an org's own, and the models whose events have no cost.

use chrono::{DateTime, Utc};
use model::{
    OrgId,
    api::{OrgPrices, Price, PricesChange, UnpricedModel},
};
use serde_json::{Value, json};

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    row,
};

/// Maximum number of models that are read.
const MAX_MODELS: i64 = 500;
/// Maximum number of calls that are counted for one model.
pub const MAX_COUNTED_CALLS: i64 = 10_000;
/// Maximum number of models that the audit log names.
const MAX_NAMED_MODELS: usize = 50;

impl Store {
    /// The org's own prices.
    ///
    /// # Errors
    /// When the database cannot be asked, or holds something else.
    pub async fn prices(&self, org: OrgId) -> Result<OrgPrices, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- prices::prices\nselect entries, changed_at from org_prices where org_id = $1",
                &[&org.0],
            )
            .await?;
        let Some(row) = row else {
            return Ok(OrgPrices {
                overrides: Vec::new(),
                changed_at: None,
            });
        };
        let entries: Value = row.try_get("entries")?;
        let overrides =
            serde_json::from_value(entries).map_err(|_| StoreError::Unreadable("org_prices.entries"))?;
        Ok(OrgPrices {
            overrides,
            changed_at: row.try_get("changed_at")?,
        })
    }

    /// Replaces the org's own prices.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when there are too many, or two for the same requests; [`StoreError::NotAllowed`] when
    /// the actor was deactivated meanwhile.
    pub async fn prices_set(&self, act: &Act, change: PricesChange) -> Result<OrgPrices, StoreError> {
        change
            .check()
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        let PricesChange { overrides } = change;
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        transaction
            .execute(
                "-- prices::prices_set\n\
                 insert into org_prices (org_id, entries, changed_at) values ($1, $2, $3)\n\
                 on conflict (org_id) do update set entries = excluded.entries, changed_at = excluded.changed_at",
                &[&act.org.0, &json!(overrides), &act.now],
            )
            .await?;
        let details = json!({ "prices": overrides.len(), "models": models(&overrides) });
        audit::record(
            &transaction,
            act,
            Action::PricesChanged,
            Subject::default(),
            &details,
        )
        .await?;
        transaction.commit().await?;
        Ok(OrgPrices {
            overrides,
            changed_at: Some(act.now),
        })
    }

    /// The models of events without a cost, by name: the first 500. It costs one step of an index for each.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn uncosted_models(&self, org: OrgId) -> Result<Vec<String>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("prices/uncosted_models.sql"))
            .await?;
        let rows = client.query(&statement, &[&org.0, &MAX_MODELS]).await?;
        rows.iter().map(row::only).collect()
    }

    /// How many calls without a cost these models have, and when they were made. It costs at most
    /// [`MAX_COUNTED_CALLS`] entries of an index for each.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn uncosted_calls(
        &self,
        org: OrgId,
        models: &[String],
    ) -> Result<Vec<UnpricedModel>, StoreError> {
        if models.is_empty() {
            return Ok(Vec::new());
        }
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("prices/uncosted_calls.sql"))
            .await?;
        let most = MAX_COUNTED_CALLS + 1;
        let rows = client.query(&statement, &[&org.0, &models, &most]).await?;
        rows.iter()
            .map(|row| {
                let calls: i64 = row.try_get("calls")?;
                let first_used_at: DateTime<Utc> = row.try_get("first_used_at")?;
                Ok(UnpricedModel {
                    model: row.try_get("model")?,
                    calls: calls.min(MAX_COUNTED_CALLS),
                    more: calls > MAX_COUNTED_CALLS,
                    first_used_at,
                    last_used_at: row.try_get("last_used_at")?,
                })
            })
            .collect()
    }
}

/// The models of some prices, each once.
fn models(prices: &[Price]) -> Vec<&str> {
    let mut models: Vec<&str> = prices.iter().map(|price| price.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    models.truncate(MAX_NAMED_MODELS);
    models
}
