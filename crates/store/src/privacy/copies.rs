//! What an org counted for a member whose events are gone, and another member has uploaded, too: it counts for the other.

use chrono::NaiveDate;
use model::{MemberId, OrgId};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{StoreError, derived::rollup};

/// Lets the org count, for members whose rows are locked, what it counts for nobody any more.
pub(super) async fn count_for(
    client: &impl GenericClient,
    org: OrgId,
    members: &[MemberId],
) -> Result<(), StoreError> {
    for member in members {
        let rows = client
            .query(
                include_str!("copies/count_for.sql"),
                &[&org.0, &member.0, &Uuid::now_v7()],
            )
            .await?;
        let days: Vec<NaiveDate> = rows
            .iter()
            .map(|row| row.try_get("day"))
            .collect::<Result<_, _>>()?;
        if !days.is_empty() {
            rollup::recount_days(client, org, *member, &days).await?;
        }
    }
    Ok(())
}
