//! Light or dark: by the system's preference, or by the choice that a browser's cookie holds.

use axum::http::HeaderMap;

use crate::page_session::cookie;

/// The cookie with the choice.
pub(super) const COOKIE: &str = "toolhub_appearance";

/// How pages look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Appearance {
    /// As the system prefers.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Appearance {
    /// Every choice, in the order of the switch.
    pub(super) const ALL: [Appearance; 3] = [Appearance::System, Appearance::Light, Appearance::Dark];

    /// The choice of a browser.
    pub(super) fn of(headers: &HeaderMap) -> Appearance {
        cookie(headers, COOKIE)
            .and_then(Appearance::parse)
            .unwrap_or_default()
    }

    /// Reads the word of a form or a cookie.
    pub(super) fn parse(word: &str) -> Option<Appearance> {
        Appearance::ALL.into_iter().find(|choice| choice.as_str() == word)
    }

    /// The word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Appearance::System => "system",
            Appearance::Light => "light",
            Appearance::Dark => "dark",
        }
    }

    /// The word on the switch.
    pub(super) fn label(self) -> &'static str {
        match self {
            Appearance::System => "System",
            Appearance::Light => "Light",
            Appearance::Dark => "Dark",
        }
    }
}
