//! The settings of the org: its name, retention, privacy.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use model::{
    administration::{OrgChange, OrgSettings},
    team::{Role, Scope},
    text,
};
use serde::Deserialize;

use super::super::{form::Form, visit::Visit};
use crate::{api, auth::Acting, error::ApiError, extract::Input, page_session::see_other, state::App};

/// What the org has decided; a form for owners.
pub(super) async fn section(visit: &Visit) -> Result<Markup, ApiError> {
    let settings = api::org::get(State(visit.app.clone()), visit.caller()).await?.0;
    let owns = visit.caller.role >= Role::Owner && visit.caller.scopes.contains(&Scope::Admin);
    Ok(html! {
        section #org {
            h2 { "Org" }
            @if owns { (form(visit, &settings)) } @else { (facts(&settings)) }
        }
    })
}

fn facts(settings: &OrgSettings) -> Markup {
    let kept = settings
        .retention_days
        .map_or("for ever".to_owned(), |days| format!("for {days} days"));
    html! {
        ul .facts {
            li { "Events are kept " (kept) "." }
            li {
                @if settings.task_text_allowed { "The text of tasks is stored, where a member sends it." }
                @else { "The text of tasks is not stored." }
            }
            li {
                @if settings.show_names { "The board of members shows names." }
                @else { "The board of members shows pseudonyms." }
            }
        }
    }
}

fn form(visit: &Visit, settings: &OrgSettings) -> Markup {
    let days = settings.retention_days.unwrap_or(0);
    html! {
        form .stack method="post" action="/settings/org" {
            (visit.token_field())
            label for="org-name" { "Name" }
            input #org-name type="text" name="org" value=(text::clean(&settings.org)) required maxlength="63"
                pattern="[a-z0-9][a-z0-9\\-]*" spellcheck="false";
            label for="org-days" { "Days for which events are kept, 0 for ever" }
            input #org-days type="number" name="retention_days" value=(days) min="0" max="36500" required;
            p .fine { "Older events are deleted for good, with the next run of the retention." }
            label .check {
                input type="checkbox" name="show_names" value="true" checked[settings.show_names];
                "Show names on the board of members"
            }
            label .check {
                input type="checkbox" name="task_text_allowed" value="true" checked[settings.task_text_allowed];
                "Store the text of tasks, where a member sends it"
            }
            button type="submit" { "Save" }
        }
    }
}

/// What the form sends. A box that is not ticked is not sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    org: Option<String>,
    retention_days: Option<i32>,
    show_names: Option<bool>,
    task_text_allowed: Option<bool>,
}

/// Changes the settings.
pub(crate) async fn change(
    State(app): State<App>,
    acting: Acting,
    Form { fields }: Form<Fields>,
) -> Result<Response, ApiError> {
    let current = app.store.org_settings(acting.0.org).await?;
    let change = OrgChange {
        org: fields.org.filter(|name| *name != current.org),
        retention_days: fields.retention_days,
        show_names: Some(fields.show_names.unwrap_or(false)),
        task_text_allowed: Some(fields.task_text_allowed.unwrap_or(false)),
    };
    api::org::change(State(app), acting, Input(change)).await?;
    Ok(see_other("/settings#org"))
}
