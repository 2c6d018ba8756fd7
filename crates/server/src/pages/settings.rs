//! `/settings`: the org, its members, tokens, trusted publishers, and the audit log. A member sees what they may change.

pub(crate) mod audit;
pub(crate) mod members;
pub(crate) mod org;
pub(crate) mod publishers;
pub(crate) mod tokens;

use axum::response::Response;
use maud::html;
use serde::Deserialize;

use super::{layout, view::PageQuery, visit::Visit};
use crate::error::ApiError;

/// The parameters of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsQuery {
    /// True for the tokens of all members.
    #[serde(default)]
    all: Option<bool>,
}

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { query, view }: PageQuery<SettingsQuery>,
) -> Result<Response, ApiError> {
    let administers = visit.administers();
    let all = administers && query.all.unwrap_or(false);
    let tokens = tokens::list(&visit, all).await?;
    if let Some(format) = view.format {
        return tokens::table(&tokens, visit.now).download(format, "tokens");
    }
    let content = html! {
        nav .windows aria-label="Parts of the settings" {
            a href="#tokens" { "Tokens" }
            a href="#org" { "Org" }
            @if administers {
                a href="#members" { "Members" }
                a href="#publishers" { "Trusted publishers" }
                a href="/settings/audit" { "Audit log" }
            }
            a href="/me" { "Privacy: what is stored about me" }
        }
        (tokens::section(&visit, &tokens, all))
        (org::section(&visit).await?)
        @if administers {
            (members::section(&visit).await?)
            (publishers::section(&visit).await?)
        }
    };
    layout::Page {
        visit: &visit,
        title: "Settings",
        section: "/settings",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}
