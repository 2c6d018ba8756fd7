//! The provider-specific claims about a run.

use chrono::{DateTime, Utc};
use model::api::CiContext;
use serde::Deserialize;
use store::publishers::Run;

use super::{InvalidIdentity, json};
use crate::config::{Issuer, Provider};

/// The claims of GitHub Actions (<https://docs.github.com/en/actions/reference/security/oidc>).
#[derive(Deserialize)]
struct Github {
    repository: String,
    repository_owner_id: String,
    workflow_ref: String,
    event_name: String,
    environment: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    run_id: Option<String>,
}

/// The claims of GitLab CI (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>).
#[derive(Deserialize)]
struct Gitlab {
    project_path: String,
    namespace_id: String,
    ci_config_ref_uri: Option<String>,
    environment: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    ref_path: Option<String>,
    pipeline_id: Option<String>,
    job_id: Option<String>,
}

/// Events for which GitHub runs a workflow with the rights of the repository on input from outside it (<https://docs.github.com/en/actions/reference/security/secure-use>).
const REFUSED_EVENTS: [&str; 2] = ["pull_request_target", "workflow_run"];

pub(super) fn read(
    issuer: &Issuer,
    payload: &[u8],
    jti: String,
    expires_at: DateTime<Utc>,
) -> Result<Run, InvalidIdentity> {
    let missing = "a claim about the run is missing";
    let run = match issuer.provider {
        Provider::Github => {
            let claims: Github = json(payload, missing)?;
            if REFUSED_EVENTS.contains(&claims.event_name.as_str()) {
                return Err(InvalidIdentity::Event(claims.event_name));
            }
            Run {
                issuer: issuer.url.clone(),
                workflow: file(
                    &claims.workflow_ref,
                    &format!("{}/.github/workflows/", claims.repository),
                ),
                owner_id: claims.repository_owner_id,
                environment: claims.environment,
                jti,
                expires_at,
                ci: CiContext {
                    provider: Some("github".to_owned()),
                    repository: Some(claims.repository.clone()),
                    pull_request: claims
                        .git_ref
                        .as_deref()
                        .and_then(|git_ref| number(git_ref, "refs/pull/")),
                    git_ref: claims.git_ref,
                    run_id: claims.run_id,
                    job: None,
                },
                repository: claims.repository,
            }
        }
        Provider::Gitlab => {
            let claims: Gitlab = json(payload, missing)?;
            let host = issuer.url.split_once("://").map_or("", |(_, rest)| rest);
            let start = format!("{host}/{}//", claims.project_path);
            let merge_request = claims
                .ref_path
                .as_deref()
                .and_then(|path| number(path, "refs/merge-requests/"));
            Run {
                issuer: issuer.url.clone(),
                workflow: claims
                    .ci_config_ref_uri
                    .as_deref()
                    .and_then(|uri| file(uri, &start)),
                owner_id: claims.namespace_id,
                environment: claims.environment,
                jti,
                expires_at,
                ci: CiContext {
                    provider: Some("gitlab".to_owned()),
                    repository: Some(claims.project_path.clone()),
                    git_ref: claims.git_ref,
                    run_id: claims.pipeline_id,
                    job: claims.job_id,
                    pull_request: merge_request,
                },
                repository: claims.project_path,
            }
        }
    };
    Ok(run)
}

/// The file in `<start><file>@<ref>`.
fn file(reference: &str, start: &str) -> Option<String> {
    let path = reference.split_once('@').map_or(reference, |(path, _)| path);
    path.strip_prefix(start)
        .filter(|file| !file.is_empty())
        .map(str::to_owned)
}

/// The number in `<start><number>/…`.
fn number(git_ref: &str, start: &str) -> Option<String> {
    let number = git_ref.strip_prefix(start)?.split('/').next()?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_of_another_repository_is_not_ours() {
        let start = "acme/api/.github/workflows/";
        let ours = "acme/api/.github/workflows/ci.yml@refs/heads/main";
        assert_eq!(file(ours, start).as_deref(), Some("ci.yml"));
        assert_eq!(
            file("evil/x/.github/workflows/ci.yml@refs/heads/main", start),
            None
        );
        assert_eq!(number("refs/pull/12/merge", "refs/pull/").as_deref(), Some("12"));
        assert_eq!(number("refs/heads/main", "refs/pull/"), None);
    }
}
