//! Members: who there is, and what they may do.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    administration::{Member, MemberChange},
    api::query::{ListQuery, MembersQuery},
    team::{MemberKind, Role, check_handle},
};
use serde_json::json;
use tokio_postgres::Row;

use super::{
    access::{find, unknown, within},
    tokens::{self, Of},
};
use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    page::{self, Page},
    row,
};

/// A member to add.
#[derive(Clone, Copy, Debug)]
pub struct NewMember<'a> {
    /// The name.
    pub handle: &'a str,
    /// Person or CI.
    pub kind: MemberKind,
    /// What the member may do.
    pub role: Role,
}

impl Store {
    /// Adds a member to an org: an act of the operator.
    ///
    /// # Errors
    /// As [`Store::member_create`].
    pub async fn member_add(
        &self,
        org: OrgId,
        handle: &str,
        kind: MemberKind,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<MemberId, StoreError> {
        self.member_create(&Act::by_operator(org, now), NewMember { handle, kind, role })
            .await
    }

    /// Adds a member to an org.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the handle is not one; [`StoreError::Exists`] when the org has it already;
    /// [`StoreError::NotAllowed`] when the role is above the actor's.
    pub async fn member_create(&self, act: &Act, new: NewMember<'_>) -> Result<MemberId, StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        within(rank, new.role)?;
        let member = add(&transaction, act, new).await?;
        transaction.commit().await?;
        Ok(member)
    }

    /// Finds a member by handle.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has none.
    pub async fn member_find(&self, org: OrgId, handle: &str) -> Result<MemberId, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::members::member_find\nselect member_id from members where org_id = $1 and handle = $2",
                &[&org.0, &handle],
            )
            .await?;
        match row {
            Some(row) => Ok(MemberId(row.try_get("member_id")?)),
            None => Err(unknown(&**client, org, handle).await),
        }
    }

    /// A member with what administrators see of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has none.
    pub async fn member_get(
        &self,
        org: OrgId,
        handle: &str,
        now: DateTime<Utc>,
    ) -> Result<Member, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("members/list.sql")).await?;
        let nothing: Option<&str> = None;
        let row = client
            .query_opt(
                &statement,
                &[&org.0, &now, &handle, &None::<bool>, &nothing, &1_i64],
            )
            .await?;
        match row {
            Some(row) => read(&row),
            None => Err(unknown(&**client, org, handle).await),
        }
    }

    /// The members of an org, by handle.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn member_list(
        &self,
        org: OrgId,
        query: &MembersQuery,
        now: DateTime<Utc>,
    ) -> Result<Page<Member>, StoreError> {
        let limit = query.page_rows();
        let after: Option<String> = page::read_cursor(query.cursor())?;
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("members/list.sql")).await?;
        let any: Option<&str> = None;
        let rows = client
            .query(
                &statement,
                &[&org.0, &now, &any, &query.active, &after, &(i64::from(limit) + 1)],
            )
            .await?;
        let members = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(members, limit, |member| page::cursor(&member.handle)))
    }

    /// Renames a member, changes the role, deactivates or reactivates the member. Deactivation revokes every token
    /// permanently.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] when the member, or the role, is above the actor; [`StoreError::Conflict`] when the
    /// org would have no active owner left; [`StoreError::Exists`] when the new handle is taken.
    pub async fn member_change(
        &self,
        act: &Act,
        handle: &str,
        change: &MemberChange,
    ) -> Result<Member, StoreError> {
        if let Some(new) = &change.handle {
            check_handle(new).map_err(|error| StoreError::Invalid(error.to_string()))?;
        }
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let found = find(&transaction, act.org, handle).await?;
        within(rank, found.role)?;
        within(rank, change.role.unwrap_or(found.role))?;
        let row = transaction
            .query_opt(
                include_str!("members/change.sql"),
                &[
                    &act.org.0,
                    &found.id.0,
                    &change.handle,
                    &change.role.map(Role::as_str),
                    &change.active,
                    &act.now,
                ],
            )
            .await;
        match row {
            Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION) => {
                let taken = change.handle.as_deref().unwrap_or(handle);
                return Err(StoreError::Exists(format!("the member `{taken}`")));
            }
            other => other?,
        };
        if found.role == Role::Owner && found.active {
            require_an_owner(&transaction, act.org).await?;
        }
        if change.active == Some(false) {
            tokens::end_all(&transaction, act, Of::Member(found.id)).await?;
        }
        let subject = Subject::member(found.id, handle);
        audit::record(&transaction, act, Action::MemberChanged, subject, &json!(change)).await?;
        transaction.commit().await?;
        drop(client);
        let handle = change.handle.as_deref().unwrap_or(handle);
        self.member_get(act.org, handle, act.now).await
    }
}

/// Adds a member within the transaction of an act.
pub(crate) async fn add(
    transaction: &Transaction<'_>,
    act: &Act,
    new: NewMember<'_>,
) -> Result<MemberId, StoreError> {
    check_handle(new.handle).map_err(|error| StoreError::Invalid(error.to_string()))?;
    let row = transaction
        .query_opt(
            "-- team::members::add\n\
             insert into members (org_id, handle, kind, role, created_at) values ($1, $2, $3, $4, $5)\n\
             on conflict (org_id, handle) do nothing returning member_id",
            &[
                &act.org.0,
                &new.handle,
                &new.kind.as_str(),
                &new.role.as_str(),
                &act.now,
            ],
        )
        .await?
        .ok_or_else(|| StoreError::Exists(format!("the member `{}`", new.handle)))?;
    let member = MemberId(row.try_get("member_id")?);
    let details = json!({ "kind": new.kind, "role": new.role });
    let subject = Subject::member(member, new.handle);
    audit::record(transaction, act, Action::MemberAdded, subject, &details).await?;
    Ok(member)
}

/// An org that has an owner keeps at least one. The acts of an org run one after the other, so there is no race between
/// them.
async fn require_an_owner(transaction: &Transaction<'_>, org: OrgId) -> Result<(), StoreError> {
    let row = transaction
        .query_one(
            "-- team::members::require_an_owner\n\
             select count(*) filter (where deactivated_at is null and role = 'owner') from members where org_id = $1",
            &[&org.0],
        )
        .await?;
    if row::only::<i64>(&row)? > 0 {
        Ok(())
    } else {
        Err(StoreError::Conflict(
            "the org would have no active owner left; make another member an owner first".into(),
        ))
    }
}

fn read(row: &Row) -> Result<Member, StoreError> {
    Ok(Member {
        handle: row.try_get("handle")?,
        kind: row::word(row, "kind")?,
        role: row::word(row, "role")?,
        created_at: row.try_get("created_at")?,
        deactivated_at: row.try_get("deactivated_at")?,
        tokens: row.try_get("tokens")?,
        last_seen_at: row.try_get("last_seen_at")?,
    })
}
