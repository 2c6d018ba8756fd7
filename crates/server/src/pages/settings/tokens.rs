//! Tokens: those of the member, and for admins those of all.

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use model::{
    administration::{DEFAULT_TOKEN_DAYS, TokenInfo, TokenRequest, Tokens},
    api::query::TokensQuery,
    cell::Cell,
    limits,
    team::Scope,
    text,
};
use serde::Deserialize;

use super::super::{
    filters,
    form::{Form, Nothing},
    layout, links,
    table::{Entry, Table, name},
    visit::Visit,
};
use crate::{
    api,
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, PathParam, Query},
    page_session::see_other,
    state::App,
};

/// The tokens that are valid.
pub(super) async fn list(visit: &Visit, all: bool) -> Result<Tokens, ApiError> {
    let query = TokensQuery {
        all: all.then_some(true),
        limit: Some(limits::PAGE_ROWS),
        ..TokensQuery::default()
    };
    Ok(
        api::tokens::list(State(visit.app.clone()), visit.caller(), Query(query))
            .await?
            .0,
    )
}

/// The tokens as a file.
pub(super) fn table(tokens: &Tokens, now: DateTime<Utc>) -> Table {
    let rows = tokens.tokens.iter().map(|token| {
        vec![
            Entry::from(Cell::text(&token.name)),
            Cell::text(&token.token_id).into(),
            Cell::text(&token.member).into(),
            Cell::text(&scopes(token)).into(),
            Cell::time(token.last_used_at, now).into(),
            Cell::time(token.expires_at, now).into(),
        ]
    });
    Table {
        caption: "Tokens".to_owned(),
        columns: vec![
            name("name", "name"),
            name("token_id", "id"),
            name("member", "member"),
            name("scopes", "scopes"),
            name("last_used_at", "last used"),
            name("expires_at", "expires"),
        ],
        rows: rows.collect(),
    }
}

fn scopes(token: &TokenInfo) -> String {
    let words: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    words.join(", ")
}

/// The tokens, each with its form, and a form for a new one.
pub(super) fn section(visit: &Visit, tokens: &Tokens, all: bool) -> Markup {
    html! {
        section #tokens {
            h2 { "Tokens" }
            div .split {
            div {
            @if visit.administers() {
                p {
                    @if all { a href="/settings#tokens" { "Only mine" } }
                    @else { a href="/settings?all=true#tokens" { "Those of all members" } }
                }
            }
            div .scroll role="region" aria-label="Tokens" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "name" }
                            th scope="col" { "member" }
                            th scope="col" { "scopes" }
                            th scope="col" .figure { "last used" }
                            th scope="col" .figure { "expires" }
                            th scope="col" { "access" }
                        }
                    }
                    tbody { @for token in &tokens.tokens { (row(visit, token)) } }
                }
            }
            @if tokens.next_cursor.is_some() {
                p .fine { "These are the newest " (limits::PAGE_ROWS) ". The rest:" }
                pre { code { "toolhub tokens list --all" } }
            }
            (filters::downloads("/settings", &[("all", if all { "true" } else { "false" })]))
            }
            div {
                h3 { "Make a token" }
                (create_form(visit))
            }
            }
        }
    }
}

fn row(visit: &Visit, token: &TokenInfo) -> Markup {
    let name = text::clean(&token.name);
    let is_own = token.token_id == visit.caller.token_id.to_string();
    let expires = match token.expires_at {
        Some(_) => Cell::time(token.expires_at, visit.now),
        None => Cell::text("never"),
    };
    html! {
        tr {
            th scope="row" { bdi { (name) } }
            td { a href=(links::member(&token.member)) { bdi { (text::clean(&token.member)) } } }
            td { (scopes(token)) }
            td .figure { (Cell::time(token.last_used_at, visit.now).human()) }
            td .figure { (expires.human()) }
            td {
                form .inline method="post" action=(format!("/settings/tokens/{}/revoke", token.token_id)) {
                    (visit.token_field())
                    button .danger type="submit" aria-label=(format!("Revoke the token {name} of {}", text::clean(&token.member))) {
                        "Revoke"
                    }
                    @if is_own { span .fine { "this session" } }
                }
            }
        }
    }
}

fn create_form(visit: &Visit) -> Markup {
    html! {
        form .stack method="post" action="/settings/tokens" {
            (visit.token_field())
            label for="token-name" { "Name" }
            input #token-name type="text" name="name" required maxlength="256" autocomplete="off" spellcheck="false";
            fieldset .checks {
                legend { "Scopes" }
                @for scope in Scope::ALL.iter().filter(|scope| visit.caller.scopes.contains(scope)) {
                    label .check {
                        input type="checkbox" name=(scope) value="true" checked[*scope != Scope::Admin];
                        (scope)
                    }
                }
            }
            label for="token-days" { "Days until it expires" }
            input #token-days type="number" name="expires_in_days" value=(DEFAULT_TOKEN_DAYS) min="1" max="3650" required;
            button type="submit" { "Make a token" }
        }
    }
}

/// What the form of a new token sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    name: Option<String>,
    upload: Option<bool>,
    read: Option<bool>,
    admin: Option<bool>,
    expires_in_days: Option<u32>,
}

/// Makes a token, and shows it once.
pub(crate) async fn create(
    visit: Visit,
    caller: Caller,
    acting: Acting,
    Form { fields }: Form<NewToken>,
) -> Result<Response, ApiError> {
    let ticked = [
        (Scope::Upload, fields.upload),
        (Scope::Read, fields.read),
        (Scope::Admin, fields.admin),
    ];
    let request = TokenRequest {
        name: fields.name,
        member: None,
        scopes: Some(
            ticked
                .into_iter()
                .filter_map(|(scope, ticked)| ticked.unwrap_or(false).then_some(scope))
                .collect(),
        ),
        expires_in_days: fields.expires_in_days,
    };
    let (_, issued) = api::tokens::create(State(visit.app.clone()), caller, acting, Input(request)).await?;
    let content = html! {
        p { "This is the token. It is not shown again." }
        pre { code { (issued.0.token.reveal()) } }
        p { a href="/settings#tokens" { "Back to the tokens" } }
    };
    layout::Page {
        visit: &visit,
        title: "A new token",
        section: "/settings",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}

/// Revokes a token.
pub(crate) async fn revoke(
    State(app): State<App>,
    acting: Acting,
    path: PathParam,
    _: Form<Nothing>,
) -> Result<Response, ApiError> {
    api::tokens::revoke(State(app), acting, path).await?;
    Ok(see_other("/settings#tokens"))
}
