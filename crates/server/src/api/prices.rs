//! `/v1/prices`: what tokens cost, with the org's own prices, and which models have none.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    api::{OrgPrices, Prices, PricesChange, UnpricedModel, query::PricesQuery},
    team::Scope,
};

use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    etag,
    extract::{Input, Json, Query},
    state::App,
};

/// Maximum number of models without a price that are listed.
const MAX_UNPRICED: usize = 100;

/// The price table. Uploaders request it before they read logs; `If-None-Match` makes that cheap.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<PricesQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let may_read = caller.scopes.contains(&Scope::Read);
    if !may_read && !caller.scopes.contains(&Scope::Upload) {
        return Err(ApiError::MissingScope {
            needed: Scope::Read,
            scopes: caller.scopes,
        });
    }
    let OrgPrices {
        overrides,
        changed_at,
    } = app.store.prices(caller.org).await?;
    let builtin = sources::Prices::builtin();
    let unpriced = if query.unpriced.unwrap_or(true) && may_read {
        let priced = builtin.with(overrides.clone());
        let mut models = app.store.uncosted_models(caller.org).await?;
        models.retain(|model| !priced.knows(model));
        models.truncate(MAX_UNPRICED);
        Some(app.store.uncosted_calls(caller.org, &models).await?)
    } else {
        None
    };
    answer(
        &headers,
        builtin.list().cloned().collect(),
        overrides,
        changed_at,
        unpriced,
    )
}

fn answer(
    headers: &HeaderMap,
    prices: Vec<model::api::Price>,
    overrides: Vec<model::api::Price>,
    changed_at: Option<chrono::DateTime<chrono::Utc>>,
    unpriced: Option<Vec<UnpricedModel>>,
) -> Result<Response, ApiError> {
    let body = Prices {
        prices,
        overrides,
        changed_at,
        source: sources::Prices::builtin_source(),
        unpriced,
    };
    let internal = |cause: String| ApiError::Internal { cause };
    let body = serde_json::to_vec(&body).map_err(|error| internal(error.to_string()))?;
    let tag = etag::of(&body);
    let mut response = if etag::is_known(headers.get_all(header::IF_NONE_MATCH), &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    // Private and revalidated each time, because it differs from org to org.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    Ok(response)
}

/// Replaces the org's own prices.
pub(crate) async fn put(
    State(app): State<App>,
    Acting(act): Acting,
    Input(change): Input<PricesChange>,
) -> Result<Json<OrgPrices>, ApiError> {
    Ok(Json(app.store.prices_set(&act, change).await?))
}
