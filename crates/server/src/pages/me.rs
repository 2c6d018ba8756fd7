//! `/me`: what I use, what is stored about me, and what I can change.

pub(crate) mod device;

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use model::{
    administration::{MyChange, MySettings},
    api::query::{EraseQuery, LeaderboardQuery},
    text,
};
use serde::Deserialize;

use super::{filters, form::Form, layout, member, view::PageQuery, visit::Visit};
use crate::{
    api,
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Query},
    page_session::see_other,
    state::App,
};

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { query, view }: PageQuery<LeaderboardQuery>,
) -> Result<Response, ApiError> {
    let window = query.window.unwrap_or_default();
    let handle = visit.caller.handle.clone();
    let found = member::found(&visit, &handle, query).await?;
    if let Some(format) = view.format {
        return found.tools.download(format, "me");
    }
    let settings = api::me::settings(State(visit.app.clone()), visit.caller())
        .await?
        .0;
    let title = format!("Me: {handle}");
    let content = html! {
        (filters::windows(visit.path(), window))
        (found.sections(&handle, window))
        (filters::downloads(visit.path(), &[("window", window.as_str())]))
        (board(&visit, &settings))
        (stored(&visit, &settings))
        (sessions(&visit))
    };
    layout::Page {
        visit: &visit,
        title: &title,
        section: "/me",
        as_of: found.as_of,
        content,
    }
    .respond()
}

fn board(visit: &Visit, settings: &MySettings) -> Markup {
    let (state, value, action) = if settings.board_opt_out {
        ("You are hidden on the board of members.", "show", "Show me")
    } else {
        ("You are shown on the board of members.", "hide", "Hide me")
    };
    html! {
        section {
            h2 { "The board of members" }
            p { (state) }
            form method="post" action="/me/settings" {
                (visit.token_field())
                button type="submit" name="board" value=(value) { (action) }
            }
        }
    }
}

fn stored(visit: &Visit, settings: &MySettings) -> Markup {
    let handle = text::clean(&visit.caller.handle);
    html! {
        section {
            h2 { "What is stored about me" }
            p {
                a href="/me/data" download="toolhub-export.json" { "Everything, as JSON" }
                ". Prompts, inputs and outputs of tools are not part of it: they are never sent."
            }
            @if let Some(before) = settings.events_before {
                p {
                    "You have deleted your data. Events from before " (layout::time(before, visit.now))
                    " are refused."
                }
                form method="post" action="/me/settings" {
                    (visit.token_field())
                    button type="submit" name="deleted" value="accept" { "Accept such events again" }
                }
            }
            details {
                summary { "Delete it" }
                p {
                    "This deletes all your events, uploads and inventory for good, and refuses events from before now. To \
                     confirm, type your handle, " code { (handle) } "."
                }
                form .stack method="post" action="/me/erase" {
                    (visit.token_field())
                    label for="confirm" { "Handle" }
                    input #confirm type="text" name="confirm" required autocomplete="off" spellcheck="false";
                    button .danger type="submit" { "Delete my data" }
                }
            }
        }
    }
}

fn sessions(visit: &Visit) -> Markup {
    html! {
        section {
            h2 { "This browser" }
            p {
                "Signed in with the token " code { (text::clean(&visit.caller.token_name)) } " until "
                (layout::time(visit.session.expires_at, visit.now)) "."
            }
            form method="post" action="/sign-out/everywhere" {
                (visit.token_field())
                button type="submit" { "Sign out in every browser" }
            }
        }
    }
}

/// What the forms send: one of both.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    board: Option<String>,
    deleted: Option<String>,
}

/// Changes the member's settings.
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    acting: Acting,
    Form { fields }: Form<Settings>,
) -> Result<Response, ApiError> {
    let board_opt_out = match fields.board.as_deref() {
        None => None,
        Some("hide") => Some(true),
        Some("show") => Some(false),
        Some(_) => return Err(ApiError::BadRequest("`board` is hide or show".into())),
    };
    let change = MyChange {
        board_opt_out,
        accept_deleted: fields.deleted.map(|word| word == "accept"),
    };
    api::me::change(State(app), caller, acting, Input(change)).await?;
    Ok(see_other("/me"))
}

/// What the form of the deletion sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erase {
    confirm: Option<String>,
}

/// Deletes the member's data.
pub(crate) async fn erase(
    State(app): State<App>,
    caller: Caller,
    acting: Acting,
    Form { fields }: Form<Erase>,
) -> Result<Response, ApiError> {
    let query = EraseQuery {
        confirm: fields.confirm,
    };
    api::me::erase(State(app), caller, acting, Query(query)).await?;
    Ok(see_other("/me"))
}
