//! Exchanging the identity of a CI run for a token.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{MemberId, OrgId, administration::EXCHANGED_MINUTES, api::CiContext, limits, team::Scope, text};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Actor, Subject},
    error::Untrusted,
    team::{self, NewToken, Origin},
};

/// The claims of a verified identity token about its run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The issuer.
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
    /// When the identity token expires, leeway included.
    pub expires_at: DateTime<Utc>,
    /// The label of the token.
    pub ci: CiContext,
}

/// A token that was issued to a run.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The token in plain text.
    pub token: model::token::Token,
    /// Its id.
    pub token_id: Uuid,
    /// The org.
    pub org: OrgId,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
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
        use_identity(&transaction, run).await?;
        let chosen = choose(candidates(&transaction, run, org).await?, run)?;
        let member = transaction
            .query_opt(
                "-- publishers::exchange::exchange\n\
                 select handle from members\n\
                 where org_id = $1 and member_id = $2 and deactivated_at is null and role <> 'viewer'",
                &[&chosen.org.0, &chosen.member.0],
            )
            .await?
            .ok_or(Untrusted::Member)?;
        let handle: String = member.try_get("handle")?;
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
        let new = NewToken {
            name: text::truncate_bytes(&label, limits::NAME_CHARS),
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

/// Records that the identity token was used.
async fn use_identity(transaction: &Transaction<'_>, run: &Run) -> Result<(), StoreError> {
    let fresh = transaction
        .execute(
            "-- publishers::exchange::use_identity\n\
             insert into oidc_uses (issuer, jti, expires_at) values ($1, $2, $3) on conflict do nothing",
            &[&run.issuer, &run.jti, &run.expires_at],
        )
        .await?;
    if fresh == 0 {
        return Err(Untrusted::Replayed.into());
    }
    Ok(())
}

async fn candidates(
    transaction: &Transaction<'_>,
    run: &Run,
    org: Option<&str>,
) -> Result<Vec<Candidate>, StoreError> {
    let rows = transaction
        .query(
            include_str!("exchange/candidates.sql"),
            &[&run.issuer, &run.repository, &org],
        )
        .await?;
    rows.iter().map(candidate).collect()
}

fn candidate(row: &Row) -> Result<Candidate, StoreError> {
    Ok(Candidate {
        org: OrgId(row.try_get("org_id")?),
        publisher: row.try_get("publisher_id")?,
        member: MemberId(row.try_get("member_id")?),
        owner_id: row.try_get("owner_id")?,
        workflow: row.try_get("workflow")?,
        environment: row.try_get("environment")?,
        provider: row.try_get("provider")?,
    })
}

/// The publisher that matches a run; of several in one org the most specific one.
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
            // GitHub treats the names of environments as case-insensitive.
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
