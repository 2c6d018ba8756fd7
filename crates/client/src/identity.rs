//! Exchanges the identity of a CI run for an upload token of 30 minutes, so that CI needs no secret.
//!
//! GitHub Actions gives an identity to a job with `permissions: id-token: write`
//! (<https://docs.github.com/en/actions/reference/security/oidc>); GitLab puts one into the variable that `id_tokens:`
//! defines (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>), which must be `TOOLHUB_ID_TOKEN`. The
//! audience is the address of the server, so that no other server accepts the identity.

use std::time::Duration;

use model::{
    administration::{ExchangeRequest, IssuedToken},
    token::Secret,
};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::{Environment, Error, Server};

/// The variable with the identity token of GitLab, or of another provider whose issuer the server trusts.
pub const VARIABLE: &str = "TOOLHUB_ID_TOKEN";
/// The variable that names the org, if several orgs trust the repository.
const ORG_VARIABLE: &str = "TOOLHUB_ORG";

/// Time limit for the response of the provider.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct IdTokenResponse {
    value: Secret,
}

/// The server with a token: the one that it has, or in a CI run without a token one that is exchanged for the identity
/// of the run. Outside CI a server without a token is returned unchanged.
///
/// # Errors
/// When a CI run has no identity, or the identity is refused; the message says what to change.
pub async fn sign_in(server: Server, environment: &Environment) -> Result<Server, Error> {
    if server.token().is_ok() {
        return Ok(server);
    }
    if let Some(server) = exchange(&server, environment).await? {
        return Ok(server);
    }
    let Some(hint) = missing_identity(&server, environment) else {
        return Ok(server);
    };
    // Without a server an identity would not help.
    match server.authorized().await {
        Err(Error::NoCredentials { url }) => Err(Error::NoIdentity { url, hint }),
        Err(error) => Err(error),
        Ok(_) => Ok(server),
    }
}

/// True for a CI run that can have an identity.
pub(crate) fn is_possible(environment: &Environment) -> bool {
    [VARIABLE, "GITHUB_ACTIONS", "GITLAB_CI"]
        .iter()
        .any(|variable| environment.var(variable).is_some())
}

/// The server with a token that was exchanged for the identity of this run; `None` if the run has no identity.
async fn exchange(server: &Server, environment: &Environment) -> Result<Option<Server>, Error> {
    let Some(token) = id_token(server, environment).await? else {
        return Ok(None);
    };
    let request = ExchangeRequest {
        token,
        org: environment.var(ORG_VARIABLE).map(str::to_owned),
    };
    let exchanged = server
        .send(Method::POST, "/v1/oidc/exchange", &[], Some(&request))
        .await;
    let body = exchanged.map_err(|error| match error {
        Error::Unauthorized { url, code, detail } | Error::Forbidden { url, code, detail } => {
            Error::IdentityRefused {
                hint: refused_identity(&code, &url, environment),
                url,
                detail,
            }
        }
        error => error,
    })?;
    let issued: IssuedToken = server.read(&body)?;
    Ok(Some(server.with_token(issued.token)))
}

/// What gives a run of this provider an identity; `None` outside the providers that have one.
fn missing_identity(server: &Server, environment: &Environment) -> Option<String> {
    if environment.var("GITHUB_ACTIONS").is_some() {
        return Some(format!(
            "Give the job `permissions: id-token: write`, start the server with `--public-url {}`, and let an admin run \
             `{}`",
            server.url(),
            add_publisher(environment)
        ));
    }
    environment.var("GITLAB_CI").is_some().then(|| {
        format!(
            "Give the job `id_tokens: {{ {VARIABLE}: {{ aud: \"{url}\" }} }}`, start the server with `--public-url {url}`, \
             and let an admin run `{}`",
            add_publisher(environment),
            url = server.url(),
        )
    })
}

/// What to change after a refusal with this code.
fn refused_identity(code: &str, url: &str, environment: &Environment) -> String {
    match code {
        "identity_audience" | "identity_not_configured" => format!(
            "The audience of an identity is the address of the server: start it with `--public-url`, and upload to the \
             same address (this run used {url})"
        ),
        "untrusted_repository" | "untrusted_owner" => {
            format!("Let an admin run `{}`", add_publisher(environment))
        }
        "ambiguous_org" => format!("Set {ORG_VARIABLE} to the org"),
        "identity_replayed" => "Run one upload per identity, or set TOOLHUB_TOKEN".to_owned(),
        _ => "An admin sees what is trusted with `toolhub trusted-publishers list`".to_owned(),
    }
}

/// The command that lets an org trust this repository, with what the run knows about it.
fn add_publisher(environment: &Environment) -> String {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| environment.var(name))
            .map(model::text::clean)
    };
    let repository = first(&["GITHUB_REPOSITORY", "CI_PROJECT_PATH"]);
    let owner = first(&["GITHUB_REPOSITORY_OWNER_ID", "CI_PROJECT_NAMESPACE_ID"]);
    let provider = if environment.var("GITLAB_CI").is_some() {
        " --provider gitlab"
    } else {
        ""
    };
    format!(
        "toolhub trusted-publishers add {}{provider} --owner-id {}",
        repository.as_deref().unwrap_or("OWNER/NAME"),
        owner.as_deref().unwrap_or("ID")
    )
}

async fn id_token(server: &Server, environment: &Environment) -> Result<Option<Secret>, Error> {
    if let Some(token) = environment.var(VARIABLE) {
        return Ok(Some(Secret::new(token)));
    }
    let (Some(url), Some(bearer)) = (
        environment.var("ACTIONS_ID_TOKEN_REQUEST_URL"),
        environment.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) else {
        return Ok(None);
    };
    let failed = |detail: String| Error::Busy {
        url: "the CI provider".to_owned(),
        detail: format!("no identity for this run: {detail}"),
    };
    let mut url = Url::parse(url).map_err(|error| failed(error.to_string()))?;
    url.query_pairs_mut().append_pair("audience", server.url());
    let http = reqwest::Client::builder()
        .timeout(RESPONSE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    // The address is left out of errors.
    let no_answer = |error: reqwest::Error| failed(error.without_url().to_string());
    let response = http
        .get(url)
        .bearer_auth(bearer)
        .send()
        .await
        .map_err(no_answer)?;
    let response = response.error_for_status().map_err(no_answer)?;
    let response: IdTokenResponse = response.json().await.map_err(no_answer)?;
    Ok(Some(response.value))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn hint(variables: &[(&str, &str)]) -> Option<String> {
        let home = Path::new("/h");
        let environment = Environment::new(home, home, variables.iter().copied());
        let server = Server::new("https://toolhub.example", None).unwrap();
        missing_identity(&server, &environment)
    }

    #[test]
    fn a_run_without_an_identity_is_told_what_its_job_the_server_and_the_org_need() {
        let github = hint(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "acme/api"),
            ("GITHUB_REPOSITORY_OWNER_ID", "4711"),
        ])
        .unwrap();
        for part in [
            "`permissions: id-token: write`",
            "`--public-url https://toolhub.example`",
            "`toolhub trusted-publishers add acme/api --owner-id 4711`",
        ] {
            assert!(github.contains(part), "{github}");
        }
        let gitlab = hint(&[("GITLAB_CI", "true"), ("CI_PROJECT_PATH", "acme/api")]).unwrap();
        for part in [
            r#"TOOLHUB_ID_TOKEN: { aud: "https://toolhub.example" }"#,
            "add acme/api --provider gitlab --owner-id ID",
        ] {
            assert!(gitlab.contains(part), "{gitlab}");
        }
        assert_eq!(hint(&[("CI", "true")]), None);
    }

    #[test]
    fn a_refusal_for_the_audience_names_the_setting_of_the_server() {
        let environment = Environment::default();
        let hint = refused_identity("identity_audience", "http://10.0.0.1:7700", &environment);
        assert!(
            hint.contains("--public-url") && hint.contains("http://10.0.0.1:7700"),
            "{hint}"
        );
        let hint = refused_identity("untrusted_repository", "http://a", &environment);
        assert!(
            hint.contains("trusted-publishers add OWNER/NAME --owner-id ID"),
            "{hint}"
        );
    }
}
