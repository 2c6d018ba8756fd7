//! Looking up a member within an act, and the rule of who may act on whom.

use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    team::{MemberKind, Role},
};

use crate::{StoreError, row};

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
        .await?
        .ok_or_else(|| unknown(handle))?;
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

pub(super) fn unknown(handle: &str) -> StoreError {
    StoreError::NotFound(format!(
        "no member `{handle}`; `toolhub members list` shows them all"
    ))
}
