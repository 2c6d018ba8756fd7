//! Revoking tokens.

use deadpool_postgres::Transaction;
use model::{MemberId, administration::INVITATION};
use serde_json::json;
use uuid::Uuid;

use super::{super::access, lookup::find_any};
use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
};

impl Store {
    /// Revokes a token, effective from the next request in every process. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such token, or another member has it and the actor does not
    /// administer; [`StoreError::NotAllowed`] when the member is above the actor.
    pub async fn token_revoke(&self, act: &Act, token_id: Uuid) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let token = find_any(&transaction, act, token_id).await?;
        if !act.is_by(token.member) {
            access::within(rank, token.role)?;
        }
        let ended = transaction
            .execute(
                "-- team::tokens::end::token_revoke\n\
                 update api_tokens set revoked_at = $3 where org_id = $1 and token_id = $2 and revoked_at is null",
                &[&act.org.0, &token_id, &act.now],
            )
            .await?;
        if ended > 0 {
            let details = json!({ "token_id": token_id, "name": token.name });
            let subject = Subject::member(token.member, &token.handle);
            audit::record(&transaction, act, Action::TokenRevoked, subject, &details).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Which tokens are revoked together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// All tokens of a member.
    Member(MemberId),
    /// The invitations of a member.
    Invitations(MemberId),
    /// Those that were issued through a trusted publisher.
    Publisher(Uuid),
}

/// Revokes the tokens that are still valid, in the transaction of an action, and records each in the audit log.
pub(crate) async fn end_all(transaction: &Transaction<'_>, act: &Act, of: Of) -> Result<(), StoreError> {
    let (member, publisher, name) = match of {
        Of::Member(MemberId(member)) => (Some(member), None, None),
        Of::Invitations(MemberId(member)) => (Some(member), None, Some(INVITATION)),
        Of::Publisher(publisher) => (None, Some(publisher), None),
    };
    let ended = transaction
        .query(
            include_str!("end/end_all.sql"),
            &[&act.org.0, &member, &publisher, &act.now, &name],
        )
        .await?;
    for row in ended {
        let (token_id, name, handle): (Uuid, &str, &str) = (
            row.try_get("token_id")?,
            row.try_get("name")?,
            row.try_get("handle")?,
        );
        let details = json!({ "token_id": token_id, "name": name });
        let subject = Subject::member(MemberId(row.try_get("member_id")?), handle);
        audit::record(transaction, act, Action::TokenRevoked, subject, &details).await?;
    }
    Ok(())
}
