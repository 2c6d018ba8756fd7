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

/// The server with a token that was exchanged for the identity of this run; `None` if the run has no identity.
///
/// # Errors
/// When the identity cannot be obtained or is refused.
pub async fn exchange(server: &Server, environment: &Environment) -> Result<Option<Server>, Error> {
    let Some(token) = id_token(server, environment).await? else {
        return Ok(None);
    };
    let request = ExchangeRequest {
        token,
        org: environment.var(ORG_VARIABLE).map(str::to_owned),
    };
    let body = server
        .send(Method::POST, "/v1/oidc/exchange", &[], Some(&request))
        .await?;
    let issued: IssuedToken = server.read(&body)?;
    Ok(Some(server.with_token(issued.token)))
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
    let unreachable = |cause: String| Error::Unreachable {
        url: "the CI provider".to_owned(),
        cause,
    };
    let mut url = Url::parse(url).map_err(|error| unreachable(error.to_string()))?;
    url.query_pairs_mut().append_pair("audience", server.url());
    let http = reqwest::Client::builder()
        .timeout(RESPONSE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| unreachable(error.to_string()))?;
    // The address is left out of errors.
    let failed = |error: reqwest::Error| unreachable(format!("no identity: {}", error.without_url()));
    let response = http.get(url).bearer_auth(bearer).send().await.map_err(failed)?;
    let response = response.error_for_status().map_err(failed)?;
    let response: IdTokenResponse = response.json().await.map_err(failed)?;
    Ok(Some(response.value))
}
