//! Trusted publishers: the CI that an org trusts.
//!
//! The server has verified the signature, the issuer, the audience and the times of the identity token; this module
//! compares its claims with the publisher: repository, id of its owner, workflow, environment. An identity token is
//! accepted once: its `jti` is stored until it has expired.

mod exchange;

pub use crate::error::Untrusted;
pub use exchange::{Exchanged, Run};

use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    administration::{Publisher, PublisherRequest},
    api::query::{ListQuery, PublishersQuery},
    limits,
    team::{MemberKind, Role},
    text,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    page::{self, Page},
    team::{self, NewMember},
};

impl Store {
    /// Adds a trusted publisher. Its member is created if there is none of that name.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a field is invalid; [`StoreError::Exists`] when it is trusted already;
    /// [`StoreError::Conflict`] when the member is a person.
    pub async fn publisher_add(
        &self,
        act: &Act,
        issuer: &str,
        request: &PublisherRequest,
    ) -> Result<Publisher, StoreError> {
        check(request)?;
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let handle = request
            .member
            .clone()
            .unwrap_or_else(|| format!("ci-{}", request.repository.replace('/', "-")));
        let member = ci_member(&transaction, act, rank, &handle).await?;
        let publisher_id = Uuid::now_v7();
        let added = transaction
            .execute(
                include_str!("publishers/add.sql"),
                &[
                    &act.org.0,
                    &publisher_id,
                    &request.provider,
                    &issuer,
                    &request.repository,
                    &request.owner_id,
                    &request.workflow,
                    &request.environment,
                    &member.0,
                    &act.now,
                    &act.name(),
                ],
            )
            .await?;
        if added == 0 {
            return Err(StoreError::Exists(format!("the trust in {}", request.repository)));
        }
        let details = json!({ "publisher_id": publisher_id, "issuer": issuer, "publisher": request });
        let subject = Subject::member(member, &handle);
        audit::record(&transaction, act, Action::PublisherAdded, subject, &details).await?;
        transaction.commit().await?;
        Ok(Publisher {
            publisher_id: publisher_id.to_string(),
            provider: request.provider.clone(),
            issuer: issuer.to_owned(),
            repository: request.repository.clone(),
            owner_id: request.owner_id.clone(),
            workflow: request.workflow.clone(),
            environment: request.environment.clone(),
            member: handle,
            created_at: act.now,
            created_by: act.name().to_owned(),
        })
    }

    /// Removes a trusted publisher, and revokes the tokens that were issued through it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such publisher.
    pub async fn publisher_remove(&self, act: &Act, publisher: Uuid) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let row = transaction
            .query_opt(
                "-- publishers::publisher_remove\n\
                 delete from trusted_publishers where org_id = $1 and publisher_id = $2 returning repository",
                &[&act.org.0, &publisher],
            )
            .await?
            .ok_or_else(|| {
                StoreError::NotFound(
                    "no such publisher; `toolhub trusted-publishers list` shows their ids".into(),
                )
            })?;
        team::end_all(&transaction, act, team::Of::Publisher(publisher)).await?;
        let repository: &str = row.try_get("repository")?;
        let details = json!({ "publisher_id": publisher });
        let subject = Subject::named(repository);
        audit::record(&transaction, act, Action::PublisherRemoved, subject, &details).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The trusted publishers of an org, by repository.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn publisher_list(
        &self,
        org: OrgId,
        query: &PublishersQuery,
    ) -> Result<Page<Publisher>, StoreError> {
        let limit = query.page_rows();
        let after: Option<(String, Uuid)> = page::read_cursor(query.cursor())?;
        let (repository, id) = after.unzip();
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("publishers/list.sql")).await?;
        let rows = client
            .query(&statement, &[&org.0, &repository, &id, &(i64::from(limit) + 1)])
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let publisher_id: Uuid = row.try_get("publisher_id")?;
            let publisher = Publisher {
                publisher_id: publisher_id.to_string(),
                provider: row.try_get("provider")?,
                issuer: row.try_get("issuer")?,
                repository: row.try_get("repository")?,
                owner_id: row.try_get("owner_id")?,
                workflow: row.try_get("workflow")?,
                environment: row.try_get("environment")?,
                member: row.try_get("handle")?,
                created_at: row.try_get("created_at")?,
                created_by: row.try_get("created_by")?,
            };
            let cursor = page::cursor(&(&publisher.repository, publisher_id));
            Ok((publisher, cursor))
        })
    }
}

/// The CI member with this handle, created if there is none.
async fn ci_member(
    transaction: &Transaction<'_>,
    act: &Act,
    rank: Role,
    handle: &str,
) -> Result<MemberId, StoreError> {
    match team::find_member(transaction, act.org, handle).await {
        Ok(found) if found.kind != MemberKind::Ci => Err(StoreError::Conflict(format!(
            "`{handle}` is a person; runs upload as a member of kind ci"
        ))),
        Ok(found) => {
            team::within(rank, found.role)?;
            Ok(found.id)
        }
        Err(StoreError::NotFound(_)) => {
            let new = NewMember {
                handle,
                kind: MemberKind::Ci,
                role: Role::Member,
            };
            team::add_member(transaction, act, new).await
        }
        Err(error) => Err(error),
    }
}

fn check(request: &PublisherRequest) -> Result<(), StoreError> {
    let invalid = |what: &str| Err(StoreError::Invalid(what.to_owned()));
    let plain = |text: &str| {
        !text.is_empty()
            && text.len() <= limits::NAME_CHARS
            && !text.chars().any(|c| text::is_unsafe(c) || c.is_whitespace())
    };
    if !matches!(request.provider.as_str(), "github" | "gitlab") {
        return invalid("`provider` is github or gitlab");
    }
    let names: Vec<&str> = request.repository.split('/').collect();
    if !plain(&request.repository) || names.len() < 2 || names.iter().any(|name| name.is_empty()) {
        return invalid("`repository` is owner/name");
    }
    if request.owner_id.is_empty()
        || request.owner_id.len() > 20
        || request.owner_id.starts_with('0')
        || !request.owner_id.bytes().all(|b| b.is_ascii_digit())
    {
        return invalid(
            "`owner_id` is the number of the owner, not the name, which another account could take over: `id` in \
             https://api.github.com/users/<owner>, or the id of the GitLab namespace",
        );
    }
    for (field, value) in [
        ("workflow", &request.workflow),
        ("environment", &request.environment),
    ] {
        if value.as_deref().is_some_and(|text| {
            text.is_empty() || text.len() > limits::NAME_CHARS || text.chars().any(text::is_unsafe)
        }) {
            return invalid(&format!("`{field}` is a name, or left out"));
        }
    }
    Ok(())
}
