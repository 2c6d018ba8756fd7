//! CI that an org trusts, and exchanging the identity of one of its runs for a token.
//!
//! The server has checked the signature, the issuer, the audience and the times of the identity before it comes here;
//! here it is checked once more against what the org has said: repository, id of its owner, workflow, environment. An
//! identity works once: its `jti` is kept until it has expired.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    MemberId, OrgId,
    administration::{EXCHANGED_MINUTES, Publisher, PublisherRequest},
    api::CiContext,
    limits,
    team::{MemberKind, Role, Scope},
    text,
};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Actor, Subject},
    page::{self, Page},
    team::{self, NewMember, NewToken, Origin},
};

/// What a checked identity token says about the run that it was given to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Who signed it.
    pub issuer: String,
    /// `owner/name`.
    pub repository: String,
    /// The id of the owner.
    pub owner_id: String,
    /// The workflow file.
    pub workflow: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The id of the identity token.
    pub jti: String,
    /// When the identity token ends, leeway included.
    pub expires_at: DateTime<Utc>,
    /// What the token is labelled with.
    pub ci: CiContext,
}

/// A token that a run was given.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The token in plain text.
    pub token: model::token::Token,
    /// Its id.
    pub token_id: Uuid,
    /// The org.
    pub org: OrgId,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// Why a run was given no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The identity token was exchanged before.
    #[error("this identity token was exchanged before; each works once. Ask the provider for a fresh one")]
    Replayed,
    /// No org trusts the repository.
    #[error("no org trusts this repository; an admin adds it with `toolhub trusted-publishers add`")]
    Repository,
    /// The repository has another owner than it had.
    #[error(
        "the repository belongs to another owner than the one that is trusted; if that is right, add it anew"
    )]
    Owner,
    /// Another workflow is trusted.
    #[error("this workflow file is not the one that is trusted")]
    Workflow,
    /// Another environment is trusted.
    #[error("this environment is not the one that is trusted")]
    Environment,
    /// Several orgs trust the repository.
    #[error("several orgs trust this repository; name one with `org`")]
    Ambiguous,
    /// The CI member is deactivated, or may not upload any more.
    #[error("the member as which this repository uploads is deactivated, or may not upload any more")]
    Member,
}

impl Untrusted {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Untrusted::Replayed => "identity_replayed",
            Untrusted::Repository => "untrusted_repository",
            Untrusted::Owner => "untrusted_owner",
            Untrusted::Workflow => "untrusted_workflow",
            Untrusted::Environment => "untrusted_environment",
            Untrusted::Ambiguous => "ambiguous_org",
            Untrusted::Member => "untrusted_member",
        }
    }
}

/// A publisher as the exchange finds it.
struct Candidate {
    org: OrgId,
    publisher: Uuid,
    member: MemberId,
    owner_id: String,
    workflow: Option<String>,
    environment: Option<String>,
    provider: String,
}

impl Store {
    /// Trusts CI. Its member is made, where there is none of that name.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when a field is none; [`StoreError::Exists`] when it is trusted already;
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
        let member = match team::find_member(&transaction, act.org, &handle).await {
            Ok(found) if found.kind != MemberKind::Ci => {
                return Err(StoreError::Conflict(format!(
                    "`{handle}` is a person; runs upload as a member of kind ci"
                )));
            }
            Ok(found) => {
                team::within(rank, found.role)?;
                found.id
            }
            Err(StoreError::NotFound(_)) => {
                let new = NewMember {
                    handle: &handle,
                    kind: MemberKind::Ci,
                    role: Role::Member,
                };
                team::add_member(&transaction, act, new).await?
            }
            Err(error) => return Err(error),
        };
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

    /// Ends the trust in CI, and the tokens that it was given.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such publisher.
    pub async fn publisher_remove(&self, act: &Act, publisher: Uuid) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let row = transaction
            .query_opt(
                "-- publishers::remove\n\
                 delete from trusted_publishers where org_id = $1 and publisher_id = $2 returning repository",
                &[&act.org.0, &publisher],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound("such publisher".into()))?;
        team::end_all(&transaction, act, team::Of::Publisher(publisher)).await?;
        let repository: &str = row.try_get(0)?;
        let details = json!({ "publisher_id": publisher });
        let subject = Subject::named(repository);
        audit::record(&transaction, act, Action::PublisherRemoved, subject, &details).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The CI that an org trusts, by repository.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn publisher_list(
        &self,
        org: OrgId,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Publisher>, StoreError> {
        let after: Option<(String, Uuid)> = page::read_cursor(cursor)?;
        let (repository, id) = after.unzip();
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("publishers/list.sql")).await?;
        let rows = client
            .query(&statement, &[&org.0, &repository, &id, &(i64::from(limit) + 1)])
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let publisher_id: Uuid = row.try_get(0)?;
            let publisher = Publisher {
                publisher_id: publisher_id.to_string(),
                provider: row.try_get(1)?,
                issuer: row.try_get(2)?,
                repository: row.try_get(3)?,
                owner_id: row.try_get(4)?,
                workflow: row.try_get(5)?,
                environment: row.try_get(6)?,
                member: row.try_get(7)?,
                created_at: row.try_get(8)?,
                created_by: row.try_get(9)?,
            };
            let cursor = page::cursor(&(&publisher.repository, publisher_id));
            Ok((publisher, cursor))
        })
    }

    /// Exchanges the identity of a run for a token that uploads for half an hour. In one transaction: an identity
    /// that was refused may be tried again, one that was accepted may not.
    ///
    /// # Errors
    /// [`StoreError::Untrusted`] says why there is no token.
    pub async fn exchange(
        &self,
        run: &Run,
        org: Option<&str>,
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<Exchanged, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let fresh = transaction
            .execute(
                "-- publishers::use\n\
                 insert into oidc_uses (issuer, jti, expires_at) values ($1, $2, $3) on conflict do nothing",
                &[&run.issuer, &run.jti, &run.expires_at],
            )
            .await?;
        if fresh == 0 {
            return Err(Untrusted::Replayed.into());
        }
        let candidates = transaction
            .query(
                include_str!("publishers/candidates.sql"),
                &[&run.issuer, &run.repository, &org],
            )
            .await?
            .iter()
            .map(candidate)
            .collect::<Result<Vec<_>, StoreError>>()?;
        let chosen = choose(candidates, run)?;
        let member = transaction
            .query_opt(
                "-- publishers::member\n\
                 select handle from members\n\
                 where org_id = $1 and member_id = $2 and deactivated_at is null and role <> 'viewer'",
                &[&chosen.org.0, &chosen.member.0],
            )
            .await?
            .ok_or(Untrusted::Member)?;
        let handle: String = member.try_get(0)?;
        let actor = Actor::Publisher {
            name: format!("{}:{}", chosen.provider, run.repository),
            address,
        };
        let act = Act {
            org: chosen.org,
            actor,
            now,
        };
        let label = format!(
            "{} {} run {}",
            chosen.provider,
            run.repository,
            run.ci.run_id.as_deref().unwrap_or("?")
        );
        let expires_at = now + TimeDelta::minutes(EXCHANGED_MINUTES);
        let name = text::truncate_bytes(&label, limits::NAME_CHARS);
        let new = NewToken {
            name,
            scopes: &[Scope::Upload],
            expires_at: Some(expires_at),
        };
        let origin = Origin {
            publisher: Some(chosen.publisher),
            ci: Some(&run.ci),
        };
        let issued = team::issue(&transaction, &act, chosen.member, &new, &origin).await?;
        let details = json!({
            "token_id": issued.token_id, "publisher_id": chosen.publisher, "ci": run.ci, "expires_at": expires_at,
        });
        let subject = Subject::member(chosen.member, &handle);
        audit::record(&transaction, &act, Action::TokenExchanged, subject, &details).await?;
        transaction.commit().await?;
        Ok(Exchanged {
            token: issued.token,
            token_id: issued.token_id,
            org: chosen.org,
            expires_at,
        })
    }
}

fn candidate(row: &Row) -> Result<Candidate, StoreError> {
    Ok(Candidate {
        org: OrgId(row.try_get(0)?),
        publisher: row.try_get(1)?,
        member: MemberId(row.try_get(2)?),
        owner_id: row.try_get(3)?,
        workflow: row.try_get(4)?,
        environment: row.try_get(5)?,
        provider: row.try_get(6)?,
    })
}

/// The publisher that vouches for a run; of several in one org the one that says most.
fn choose(mut candidates: Vec<Candidate>, run: &Run) -> Result<Candidate, Untrusted> {
    fn keep(
        candidates: &mut Vec<Candidate>,
        why: Untrusted,
        fits: impl Fn(&Candidate) -> bool,
    ) -> Result<(), Untrusted> {
        candidates.retain(fits);
        if candidates.is_empty() { Err(why) } else { Ok(()) }
    }
    keep(&mut candidates, Untrusted::Repository, |_| true)?;
    keep(&mut candidates, Untrusted::Owner, |one| {
        one.owner_id == run.owner_id
    })?;
    keep(&mut candidates, Untrusted::Workflow, |one| {
        one.workflow.is_none() || one.workflow == run.workflow
    })?;
    keep(&mut candidates, Untrusted::Environment, |one| {
        match (&one.environment, &run.environment) {
            (None, _) => true,
            // GitHub takes the names of environments in any case.
            (Some(trusted), Some(actual)) => trusted.eq_ignore_ascii_case(actual),
            (Some(_), None) => false,
        }
    })?;
    let first = candidates[0].org;
    if candidates.iter().any(|one| one.org != first) {
        return Err(Untrusted::Ambiguous);
    }
    candidates
        .into_iter()
        .max_by_key(|one| (one.environment.is_some(), one.workflow.is_some()))
        .ok_or(Untrusted::Repository)
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
        || !request.owner_id.bytes().all(|b| b.is_ascii_digit())
    {
        return invalid(
            "`owner_id` is the number of the owner: `id` in https://api.github.com/users/<owner>, or the id of the \
             GitLab namespace. A name alone could be taken over by somebody else",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(org: i64, owner: &str, workflow: Option<&str>, environment: Option<&str>) -> Candidate {
        Candidate {
            org: OrgId(org),
            publisher: Uuid::from_u128(
                u128::from(workflow.is_some()) * 2 + u128::from(environment.is_some()),
            ),
            member: MemberId(1),
            owner_id: owner.to_owned(),
            workflow: workflow.map(str::to_owned),
            environment: environment.map(str::to_owned),
            provider: "github".to_owned(),
        }
    }

    #[test]
    fn the_publisher_that_says_most_vouches_and_each_mismatch_has_its_name() {
        let run = Run {
            issuer: "i".into(),
            repository: "acme/api".into(),
            owner_id: "7".into(),
            workflow: Some("ci.yml".into()),
            environment: Some("Prod".into()),
            jti: "j".into(),
            expires_at: DateTime::UNIX_EPOCH,
            ci: CiContext::default(),
        };
        let why = |candidates| choose(candidates, &run).map(|one| one.publisher.as_u128());
        assert_eq!(why(vec![]), Err(Untrusted::Repository));
        assert_eq!(why(vec![candidate(1, "8", None, None)]), Err(Untrusted::Owner));
        assert_eq!(
            why(vec![candidate(1, "7", Some("x.yml"), None)]),
            Err(Untrusted::Workflow)
        );
        assert_eq!(
            why(vec![candidate(1, "7", None, Some("dev"))]),
            Err(Untrusted::Environment)
        );
        let both = vec![
            candidate(1, "7", None, None),
            candidate(1, "7", Some("ci.yml"), Some("prod")),
        ];
        assert_eq!(why(both), Ok(3));
        let two = vec![candidate(1, "7", None, None), candidate(2, "7", None, None)];
        assert_eq!(why(two), Err(Untrusted::Ambiguous));
    }
}
