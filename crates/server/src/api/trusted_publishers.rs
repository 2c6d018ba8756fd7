//! `/v1/trusted-publishers`: CI that may upload without a secret.

use axum::{extract::State, http::StatusCode};
use model::{
    administration::{Publisher, PublisherRequest, Publishers},
    api::query::PublishersQuery,
};

use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Json, PathParam, Query},
    state::App,
};

/// The CI that the org trusts, by repository.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<PublishersQuery>,
) -> Result<Json<Publishers>, ApiError> {
    let page = app.store.publisher_list(caller.org, &query).await?;
    Ok(Json(Publishers {
        trusted_publishers: page.rows,
        next_cursor: page.next_cursor,
    }))
}

/// Adds a trusted publisher.
pub(crate) async fn add(
    State(app): State<App>,
    Acting(act): Acting,
    Input(request): Input<PublisherRequest>,
) -> Result<(StatusCode, Json<Publisher>), ApiError> {
    if app.config.public_url.is_none() {
        // Every exchange would be refused: an identity token names the server that it is for by this address.
        return Err(ApiError::Conflict(
            "the server has no public URL, so no CI run can prove to it who it is; the operator starts it with \
             `--public-url URL`, the address that the runs use"
                .into(),
        ));
    }
    let issuers = &app.config.oidc_issuers;
    let issuer = issuers
        .iter()
        .filter(|issuer| issuer.provider.as_str() == request.provider)
        .find(|issuer| request.issuer.as_ref().is_none_or(|url| *url == issuer.url))
        .ok_or_else(|| {
            let known: Vec<&str> = issuers.iter().map(|issuer| issuer.url.as_str()).collect();
            ApiError::BadRequest(format!(
                "unknown issuer of that provider; known are {}. The operator adds others with \
                 --oidc-issuer",
                known.join(", ")
            ))
        })?;
    let publisher = app.store.publisher_add(&act, &issuer.url, &request).await?;
    Ok((StatusCode::CREATED, Json(publisher)))
}

/// Removes a trusted publisher, and the tokens that it exchanged.
pub(crate) async fn remove(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(publisher_id): PathParam,
) -> Result<StatusCode, ApiError> {
    let publisher = publisher_id.parse().map_err(|_| {
        ApiError::NotFound("no such publisher; `toolhub trusted-publishers list` shows their ids".into())
    })?;
    app.store.publisher_remove(&act, publisher).await?;
    Ok(StatusCode::NO_CONTENT)
}
