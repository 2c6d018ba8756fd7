//! Every route of the API, on one screen.

use axum::{Router, extract::DefaultBodyLimit, http::Method, middleware};
use model::{
    limits,
    team::Scope::{Read, Upload},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    access::{
        Access::{Public, Scope, Token},
        Route, Routes,
    },
    api,
    error::ApiError,
    observe, shed,
    state::App,
};

pub(crate) fn build(app: App) -> (Router, Vec<Route>) {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    let (router, list) = Routes::new(app.clone())
        .add(POST, "/v1/events", Scope(Upload), api::events::ingest)
        .add(GET, "/v1/events", Scope(Read), api::events::list)
        .add(PUT, "/v1/inventory", Scope(Upload), api::inventory::put)
        .add(GET, "/v1/limits", Public, api::limits::get)
        .add(GET, "/v1/scores", Scope(Read), api::scores::list)
        .add(GET, "/v1/scores/{tool_id}", Scope(Read), api::scores::get)
        .add(
            GET,
            "/v1/leaderboards/{board}",
            Scope(Read),
            api::leaderboards::get,
        )
        .add(GET, "/v1/dead-weight", Scope(Read), api::dead_weight::list)
        .add(GET, "/v1/uploads", Scope(Read), api::uploads::list)
        .add(GET, "/v1/refresh", Token, api::refresh::get)
        .add(GET, "/v1/me", Token, api::me::get)
        .add(DELETE, "/v1/tokens/current", Token, api::tokens::revoke_current)
        .add(GET, "/livez", Public, api::health::livez)
        .add(GET, "/metrics", Public, api::metrics::get)
        .add(GET, "/readyz", Public, api::health::readyz)
        .finish();
    let router = router
        .fallback(|| async { ApiError::NoRoute })
        .layer(DefaultBodyLimit::max(limits::WIRE_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), shed::shed))
        .layer(CatchPanicLayer::custom(api::health::panicked))
        .layer(middleware::from_fn(observe::observe))
        .with_state(app);
    (router, list)
}
