//! The identity of a CI run, exchanged for a token that uploads for half an hour: CI without secrets.
//!
//! GitHub Actions gives an identity to a job with `permissions: id-token: write`
//! (<https://docs.github.com/en/actions/reference/security/oidc>); GitLab puts one into the variable that `id_tokens:`
//! names (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>), which is to be `TOOLHUB_ID_TOKEN`. The
//! audience is the address of the server as the client knows it, so an identity that was meant for one server is worth
//! nothing to another.

use std::time::Duration;

use model::{
    administration::{ExchangeRequest, IssuedToken},
    token::Secret,
};
use reqwest::{Method, Url};
use serde::Deserialize;

use crate::{Environment, Error, Server};

/// Holds GitLab's identity token, or that of any other provider whose issuer the server knows.
pub const VARIABLE: &str = "TOOLHUB_ID_TOKEN";
/// Names the org, where several trust the repository.
pub const ORG_VARIABLE: &str = "TOOLHUB_ORG";

/// How long the provider may take.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Given {
    value: Secret,
}

/// The server with a token that was exchanged for the identity of this run; `None` where the run has none.
///
/// # Errors
/// When there is an identity and it cannot be had or is refused.
pub async fn exchange(server: &Server, environment: &Environment) -> Result<Option<Server>, Error> {
    let Some(token) = of_run(server, environment).await? else {
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

async fn of_run(server: &Server, environment: &Environment) -> Result<Option<Secret>, Error> {
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
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| unreachable(error.to_string()))?;
    // The address holds nothing secret, but its errors would name it all the same.
    let failed = |error: reqwest::Error| unreachable(format!("no identity: {}", error.without_url()));
    let answer = http.get(url).bearer_auth(bearer).send().await.map_err(failed)?;
    let answer = answer.error_for_status().map_err(failed)?;
    let given: Given = answer.json().await.map_err(failed)?;
    Ok(Some(given.value))
}
