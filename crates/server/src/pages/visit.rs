//! A signed-in browser's request for a page.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};
use chrono::{DateTime, Utc};
use model::team::{Role, Scope};
use store::{page_sessions::PageSession, team::Identity};

use super::appearance::Appearance;
use crate::{auth::Caller, deadline::Deadline, error::ApiError, page_session::Visitor, state::App};

/// Who asks for a page, and how.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(super) app: App,
    pub(super) caller: Identity,
    pub(super) session: PageSession,
    pub(super) form_token: String,
    pub(super) appearance: Appearance,
    /// The path and query that was asked for.
    pub(super) asked: String,
    /// The tags of the versions of the page that the browser has.
    pub(super) known: Vec<HeaderValue>,
    pub(super) now: DateTime<Utc>,
    pub(super) deadline: Deadline,
}

impl Visit {
    /// True when the visitor may administer the org.
    pub(super) fn administers(&self) -> bool {
        self.caller.role >= Role::Admin && self.caller.scopes.contains(&Scope::Admin)
    }

    /// The path that was asked for.
    pub(super) fn path(&self) -> &str {
        self.asked.split('?').next().unwrap_or_default()
    }

    /// The visitor as the caller of the API.
    pub(super) fn caller(&self) -> Caller {
        Caller(self.caller.clone())
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Visit, ApiError> {
        let Caller(caller) = Caller::from_request_parts(parts, app).await?;
        let visitor = parts
            .extensions
            .get::<Visitor>()
            .ok_or(ApiError::Unauthenticated)?;
        Ok(Visit {
            app: app.clone(),
            caller,
            form_token: visitor.form_token(),
            session: visitor.session.clone(),
            appearance: Appearance::of(&parts.headers),
            asked: parts
                .uri
                .path_and_query()
                .map_or("/", |asked| asked.as_str())
                .to_owned(),
            known: parts
                .headers
                .get_all(header::IF_NONE_MATCH)
                .iter()
                .cloned()
                .collect(),
            now: app.now(),
            deadline: Deadline::from_request_parts(parts, app).await?,
        })
    }
}
