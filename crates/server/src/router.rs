//! Every route of the API and of the pages, on one screen.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, Method, Uri},
    middleware,
};
use model::{
    limits,
    team::{
        Role::{Admin, Owner},
        Scope::{Read, Upload},
    },
};
use store::Store;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    access::{
        Access::{OpenPage, Page, PageForm, Probe, Public, Role, RoleForm, RolePage, Scope, Token},
        Route,
    },
    address, api,
    config::Config,
    observe, openapi, pages,
    routes::Routes,
    shed,
    state::App,
};

/// Every route that a server with these settings has, for tests and documents.
pub fn routes(store: Store, config: Config) -> Vec<Route> {
    build(App::new(store, config, true)).1
}

pub(crate) fn build(app: App) -> (Router, Vec<Route>) {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    const DELETE: Method = Method::DELETE;
    let (router, list) = Routes::new(app.clone())
        .add(POST, "/v1/events", Scope(Upload), api::events::ingest)
        .add(GET, "/v1/events", Scope(Read), api::events::list)
        .add(PUT, "/v1/inventory", Scope(Upload), api::inventory::put)
        .add(PUT, "/v1/usage", Scope(Upload), api::usage::put)
        .add(GET, "/v1/usage", Scope(Read), api::usage::get)
        .add(POST, "/otlp/v1/logs", Scope(Upload), api::otlp::logs)
        .add(POST, "/otlp/v1/traces", Scope(Upload), api::otlp::traces)
        .add(POST, "/otlp/v1/metrics", Scope(Upload), api::otlp::metrics)
        .add(POST, "/v1/gates", Scope(Upload), api::gates::check)
        .add(POST, "/mcp", Scope(Read), api::mcp::post)
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
        .add(GET, "/v1/decisions", Scope(Read), api::decisions::list)
        .add(PUT, "/v1/decisions/{tool_id}", Role(Admin), api::decisions::put)
        .add(
            DELETE,
            "/v1/decisions/{tool_id}",
            Role(Admin),
            api::decisions::end,
        )
        .add(GET, "/v1/savings", Scope(Read), api::savings::list)
        .add(GET, "/v1/overview", Scope(Read), api::overview::get)
        .add(GET, "/v1/uploads", Scope(Read), api::uploads::list)
        .add(GET, "/v1/refresh", Token, api::refresh::get)
        .add(GET, "/v1/me", Token, api::me::get)
        .add(GET, "/v1/me/settings", Scope(Read), api::me::settings)
        .add(PATCH, "/v1/me/settings", Scope(Read), api::me::change)
        .add(GET, "/v1/me/data", Scope(Read), api::me::export)
        .add(DELETE, "/v1/me/data", Scope(Read), api::me::erase)
        .add(GET, "/v1/org", Scope(Read), api::org::get)
        .add(PATCH, "/v1/org", Role(Owner), api::org::change)
        .add(GET, "/v1/prices", Token, api::prices::get)
        .add(PUT, "/v1/prices", Role(Admin), api::prices::put)
        .add(GET, "/v1/members", Role(Admin), api::members::list)
        .add(POST, "/v1/members", Role(Admin), api::members::add)
        .add(GET, "/v1/members/{handle}", Role(Admin), api::members::get)
        .add(PATCH, "/v1/members/{handle}", Role(Admin), api::members::change)
        .add(
            POST,
            "/v1/members/{handle}/invitation",
            Role(Admin),
            api::members::invite,
        )
        .add(
            DELETE,
            "/v1/members/{handle}/data",
            Role(Admin),
            api::members::erase,
        )
        .add(GET, "/v1/tokens", Scope(Read), api::tokens::list)
        .add(POST, "/v1/tokens", Scope(Read), api::tokens::create)
        .add(
            POST,
            "/v1/tokens/current/rotate",
            Token,
            api::tokens::rotate_current,
        )
        .add(DELETE, "/v1/tokens/current", Token, api::tokens::revoke_current)
        .add(
            POST,
            "/v1/tokens/{token_id}/rotate",
            Scope(Read),
            api::tokens::rotate,
        )
        .add(DELETE, "/v1/tokens/{token_id}", Scope(Read), api::tokens::revoke)
        .add(GET, "/v1/audit", Role(Admin), api::audit::list)
        .add(
            GET,
            "/v1/trusted-publishers",
            Role(Admin),
            api::trusted_publishers::list,
        )
        .add(
            POST,
            "/v1/trusted-publishers",
            Role(Admin),
            api::trusted_publishers::add,
        )
        .add(
            DELETE,
            "/v1/trusted-publishers/{publisher_id}",
            Role(Admin),
            api::trusted_publishers::remove,
        )
        .add(POST, "/v1/oidc/exchange", Public, api::oidc::exchange)
        .add(POST, "/v1/device-logins", Public, api::device_logins::create)
        .add(POST, "/v1/device-logins/token", Public, api::device_logins::token)
        .add(POST, "/v1/page-links", Scope(Read), pages::sign_in::create_link)
        .add(GET, "/", Page, pages::overview::get)
        .add(GET, "/tools", Page, pages::tools::get)
        .add(GET, "/tools/{tool_id}", Page, pages::tool::get)
        .add(GET, "/members", Page, pages::members::get)
        .add(GET, "/members/{handle}", Page, pages::member::get)
        .add(GET, "/projects", Page, pages::projects::get)
        .add(GET, "/projects/{name}", Page, pages::project::get)
        .add(GET, "/dead-weight", Page, pages::dead_weight::get)
        .add(GET, "/adoption", Page, pages::adoption::get)
        .add(GET, "/uploads", Page, pages::uploads::get)
        .add(GET, "/events", Page, pages::events::get)
        .add(GET, "/docs/api", Page, pages::api::get)
        .add(GET, "/me", Page, pages::me::get)
        .add(GET, "/me/device", Page, pages::me::device::get)
        .add(POST, "/me/device", PageForm, pages::me::device::decide)
        .add(GET, "/me/data", Page, api::me::export)
        .add(POST, "/me/settings", PageForm, pages::me::change)
        .add(POST, "/me/erase", PageForm, pages::me::erase)
        .add(GET, "/settings", Page, pages::settings::get)
        .add(
            GET,
            "/settings/audit",
            RolePage(Admin),
            pages::settings::audit::get,
        )
        .add(
            POST,
            "/settings/org",
            RoleForm(Owner),
            pages::settings::org::change,
        )
        .add(
            POST,
            "/settings/members",
            RoleForm(Admin),
            pages::settings::members::add,
        )
        .add(
            POST,
            "/settings/members/{handle}",
            RoleForm(Admin),
            pages::settings::members::change,
        )
        .add(
            POST,
            "/settings/members/{handle}/invitation",
            RoleForm(Admin),
            pages::settings::members::invite,
        )
        .add(
            POST,
            "/settings/tokens",
            PageForm,
            pages::settings::tokens::create,
        )
        .add(
            POST,
            "/settings/tokens/{token_id}/revoke",
            PageForm,
            pages::settings::tokens::revoke,
        )
        .add(
            POST,
            "/settings/publishers",
            RoleForm(Admin),
            pages::settings::publishers::add,
        )
        .add(
            POST,
            "/settings/publishers/{publisher_id}/remove",
            RoleForm(Admin),
            pages::settings::publishers::remove,
        )
        .add(GET, "/sign-in", OpenPage, pages::sign_in::get)
        .add(POST, "/sign-in", OpenPage, pages::sign_in::post)
        .add(GET, "/sign-in/link", OpenPage, pages::sign_in::follow)
        .add(POST, "/sign-out", PageForm, pages::sign_out::here)
        .add(
            POST,
            "/sign-out/everywhere",
            PageForm,
            pages::sign_out::everywhere,
        )
        .add(POST, "/theme", OpenPage, pages::theme::post)
        .add(GET, "/assets/{name}", Public, pages::assets::get)
        .add(GET, "/openapi.json", Public, openapi::get)
        .add(GET, "/livez", Probe, api::health::livez)
        .add(GET, "/readyz", Probe, api::health::readyz)
        .add(GET, "/metrics", Probe, api::metrics::get)
        .finish();
    openapi::describe_routes(&list);
    let router = router
        .fallback(async |headers: HeaderMap, uri: Uri| pages::no_such_page(&headers, uri.path()))
        .layer(DefaultBodyLimit::max(limits::WIRE_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), shed::shed))
        .layer(CatchPanicLayer::custom(api::health::panicked))
        .layer(middleware::from_fn(observe::observe))
        .layer(middleware::from_fn_with_state(app.clone(), address::resolve))
        .with_state(app);
    (router, list)
}
