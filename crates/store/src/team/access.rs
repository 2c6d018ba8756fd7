//! Looking up a member within an act, and the rule of who may act on whom.

use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    team::{MemberKind, Role},
};

use tokio_postgres::GenericClient;

use crate::{
    StoreError,
    names::{self, Name},
    row,
};

/// A member as an act finds it.
pub(crate) struct Found {
    pub(crate) id: MemberId,
    pub(crate) kind: MemberKind,
    pub(crate) role: Role,
    pub(crate) active: bool,
}

/// Finds a member within the transaction of an act.
pub(crate) async fn find(
    transaction: &Transaction<'_>,
    org: OrgId,
    handle: &str,
) -> Result<Found, StoreError> {
    let row = transaction
        .query_opt(
            "-- team::access::find\n\
             select member_id, kind, role, deactivated_at is null as active from members where org_id = $1 and handle = $2",
            &[&org.0, &handle],
        )
        .await?;
    let Some(row) = row else {
        return Err(unknown(&**transaction, org, handle).await);
    };
    Ok(Found {
        id: MemberId(row.try_get("member_id")?),
        kind: row::word(&row, "kind")?,
        role: row::word(&row, "role")?,
        active: row.try_get("active")?,
    })
}

/// Refuses to act on a member, or to assign a role, above the actor's own role.
pub(crate) fn within(rank: Role, role: Role) -> Result<(), StoreError> {
    if role <= rank {
        Ok(())
    } else {
        Err(StoreError::NotAllowed(format!(
            "this needs the role `{role}`; yours is `{rank}`"
        )))
    }
}

/// The error about a member that the org does not have, for callers who may list its members.
pub(super) async fn unknown(client: &impl GenericClient, org: OrgId, handle: &str) -> StoreError {
    match names::check(client, org, Name::Member(handle), true).await {
        Err(error) => error,
        // Added in the meantime.
        Ok(()) => StoreError::NotFound(format!("no member `{}`; try again", model::text::clean(handle))),
    }
}
