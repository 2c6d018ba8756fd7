//! What an org counted for a member whose events are gone, and another member has uploaded, too: it counts for the other.

use chrono::NaiveDate;
use model::{MemberId, OrgId};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::{StoreError, derived::rollup};

/// Lets the org count, for members whose rows are locked, the calls that it counts for no member any more.
pub(super) async fn count_for(
    client: &impl GenericClient,
    org: OrgId,
    members: &[MemberId],
) -> Result<(), StoreError> {
    for member in members {
        let row = client
            .query_one(
                include_str!("copies/count_for.sql"),
                &[&org.0, &member.0, &Uuid::now_v7()],
            )
            .await?;
        let days: (Option<NaiveDate>, Option<NaiveDate>) =
            (row.try_get("first_day")?, row.try_get("last_day")?);
        if let (Some(first), Some(last)) = days {
            rollup::recount(client, org, *member, Some((first, last))).await?;
        }
    }
    Ok(())
}
