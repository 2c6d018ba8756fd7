//! The catalogue of an org's tools.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use model::OrgId;

use crate::StoreError;

/// Adds the tools that are not in the org's catalogue yet. `tools` is sorted, without repetitions.
pub(crate) async fn add(
    client: &impl GenericClient,
    org: OrgId,
    tools: &[&str],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if tools.is_empty() {
        return Ok(());
    }
    let statement = client.prepare_cached(include_str!("catalogue/add.sql")).await?;
    client.execute(&statement, &[&org.0, &now, &tools]).await?;
    Ok(())
}
