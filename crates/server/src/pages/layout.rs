//! What every page has: head, navigation, freshness, and the switch between light and dark.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{DOCTYPE, Markup, html};
use model::{cell::Cell, text};

use super::{appearance::Appearance, assets, form::TOKEN_FIELD, policy::HTML, visit::Visit};
use crate::{error::ApiError, etag};

/// The pages of the navigation: path and title.
const PAGES: [(&str, &str); 8] = [
    ("/", "Overview"),
    ("/tools", "Tools"),
    ("/members", "Members"),
    ("/projects", "Projects"),
    ("/dead-weight", "Dead weight"),
    ("/adoption", "Adoption"),
    ("/uploads", "Uploads"),
    ("/events", "Events"),
];

/// The sections that a browser does not keep: they show personal data and secrets.
const PERSONAL: [&str; 2] = ["/me", "/settings"];

/// A document around its content.
pub(super) fn document(title: &str, appearance: Appearance, content: &Markup) -> Markup {
    let theme = (appearance != Appearance::System).then(|| appearance.as_str());
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text::clean(title)) " · toolhub" }
                link rel="stylesheet" href=(assets::styles());
                link rel="icon" type="image/svg+xml" href=(assets::icon());
            }
            body { (content) }
        }
    }
}

/// A page of a session.
pub(super) struct Page<'v> {
    pub(super) visit: &'v Visit,
    /// The title and the heading.
    pub(super) title: &'v str,
    /// The entry of the navigation that it belongs to.
    pub(super) section: &'static str,
    /// As of when the numbers are; absent before the first refresh.
    pub(super) as_of: Option<DateTime<Utc>>,
    /// What is between the heading and the end.
    pub(super) content: Markup,
}

impl Page<'_> {
    pub(super) fn respond(self) -> Result<Response, ApiError> {
        let content = html! {
            a .skip href="#main" { "Skip to the content" }
            (self.banner())
            main #main {
                div .heading {
                    h1 { bdi { (text::clean(self.title)) } }
                    (self.freshness())
                }
                (self.content)
            }
            (footer(self.visit.appearance, &self.visit.asked))
        };
        let page = document(self.title, self.visit.appearance, &content);
        if PERSONAL.contains(&self.section) {
            return respond(&page);
        }
        respond_cached(page.into_string(), &self.visit.known)
    }

    fn banner(&self) -> Markup {
        let caller = &self.visit.caller;
        html! {
            header .banner {
                a .brand href="/" { "toolhub" }
                span .org { (text::clean(&caller.org_slug)) }
                nav aria-label="Pages" {
                    ul {
                        @for (path, title) in PAGES {
                            li { a href=(path) aria-current=[(path == self.section).then_some("page")] { (title) } }
                        }
                    }
                }
                div .who {
                    a href="/me" aria-current=[("/me" == self.section).then_some("page")] {
                        bdi { (text::clean(&caller.handle)) }
                    }
                    a href="/docs/api" aria-current=[("/docs/api" == self.section).then_some("page")] { "API" }
                    a href="/settings" aria-current=[("/settings" == self.section).then_some("page")] { "Settings" }
                    form method="post" action="/sign-out" {
                        (self.visit.token_field())
                        button .quiet type="submit" { "Sign out" }
                    }
                }
            }
        }
    }

    fn freshness(&self) -> Markup {
        html! {
            @if let Some(as_of) = self.as_of {
                p .fresh {
                    "As of " time datetime=(exact(as_of)) { (as_of.format("%Y-%m-%d %H:%M")) " UTC" }
                }
            }
        }
    }
}

impl Visit {
    /// The field that every form of a session carries.
    pub(super) fn token_field(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN_FIELD) value=(self.form_token); }
    }
}

fn exact(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time for people, with the exact time behind it.
pub(super) fn time(time: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    let exact = exact(time);
    html! { time datetime=(exact) title=(exact) { (Cell::time(Some(time), now).human()) } }
}

/// The end of a page, with the switch.
pub(super) fn footer(appearance: Appearance, asked: &str) -> Markup {
    html! {
        footer {
            form .theme method="post" action="/theme" {
                fieldset {
                    legend { "Appearance" }
                    input type="hidden" name="next" value=(asked);
                    @for choice in Appearance::ALL {
                        button type="submit" name="appearance" value=(choice.as_str())
                            aria-pressed=(if choice == appearance { "true" } else { "false" }) { (choice.label()) }
                    }
                }
            }
            p .fine { "toolhub " (env!("CARGO_PKG_VERSION")) ". Days are days in UTC." }
        }
    }
}

/// An answer with a page.
pub(super) fn respond(markup: &Markup) -> Result<Response, ApiError> {
    Response::builder()
        .header(header::CONTENT_TYPE, HTML)
        .body(Body::from(markup.0.clone()))
        .map_err(|error| ApiError::Internal {
            cause: error.to_string(),
        })
}

/// An answer with a page that the browser may keep for its session: asked for again, it is sent only if it has changed.
fn respond_cached(page: String, known: &[HeaderValue]) -> Result<Response, ApiError> {
    let tag = etag::of(&page);
    let is_known = etag::is_known(known, &tag);
    let response = Response::builder()
        .header(header::CACHE_CONTROL, "private, no-cache")
        // The switch between light and dark and the session are cookies.
        .header(header::VARY, "Cookie")
        .header(header::ETAG, tag);
    let response = if is_known {
        response.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else {
        response.header(header::CONTENT_TYPE, HTML).body(Body::from(page))
    };
    response.map_err(|error| ApiError::Internal {
        cause: error.to_string(),
    })
}
