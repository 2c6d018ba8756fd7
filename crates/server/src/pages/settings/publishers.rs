//! Trusted publishers: CI that uploads without a stored secret. For admins.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use model::{
    administration::{Publisher, PublisherRequest},
    api::query::PublishersQuery,
    limits, text,
};
use serde::Deserialize;

use super::super::{
    form::{Form, Nothing},
    visit::Visit,
};
use crate::{
    api,
    auth::Acting,
    error::ApiError,
    extract::{Input, PathParam, Query},
    page_session::see_other,
    state::App,
};

/// The trusted publishers, each with its form, and a form for a new one.
pub(super) async fn section(visit: &Visit) -> Result<Markup, ApiError> {
    let query = PublishersQuery {
        limit: Some(limits::PAGE_ROWS),
        cursor: None,
    };
    let found = api::trusted_publishers::list(State(visit.app.clone()), visit.caller(), Query(query))
        .await?
        .0;
    Ok(html! {
        section #publishers {
            h2 { "Trusted publishers" }
            p .fine { "Repositories whose CI runs upload without a stored secret." }
            @if !found.trusted_publishers.is_empty() {
                div .scroll role="region" aria-label="Trusted publishers" tabindex="0" {
                    table {
                        thead {
                            tr {
                                th scope="col" { "repository" }
                                th scope="col" { "provider" }
                                th scope="col" { "workflow" }
                                th scope="col" { "environment" }
                                th scope="col" { "uploads as" }
                                th scope="col" { "access" }
                            }
                        }
                        tbody { @for publisher in &found.trusted_publishers { (row(visit, publisher)) } }
                    }
                }
            }
            h3 { "Trust a repository" }
            (add_form(visit))
        }
    })
}

fn row(visit: &Visit, publisher: &Publisher) -> Markup {
    let repository = text::clean(&publisher.repository);
    let any = |value: &Option<String>| text::clean(value.as_deref().unwrap_or("any")).into_owned();
    html! {
        tr {
            th scope="row" { bdi { (repository) } }
            td { (text::clean(&publisher.provider)) }
            td { (any(&publisher.workflow)) }
            td { (any(&publisher.environment)) }
            td { bdi { (text::clean(&publisher.member)) } }
            td {
                form method="post" action=(format!("/settings/publishers/{}/remove", publisher.publisher_id)) {
                    (visit.token_field())
                    button .danger type="submit" aria-label=(format!("Remove {repository}")) { "Remove" }
                }
            }
        }
    }
}

fn add_form(visit: &Visit) -> Markup {
    html! {
        form .pairs method="post" action="/settings/publishers" {
            (visit.token_field())
            label {
                span { "Provider" }
                select name="provider" {
                    option value="github" { "GitHub Actions" }
                    option value="gitlab" { "GitLab CI" }
                }
            }
            @for (name, label, hint, is_required) in [
                ("repository", "Repository", "owner/name", true),
                ("owner_id", "Numeric id of its owner", "583231", true),
                ("workflow", "Workflow file, or any", "review.yml", false),
                ("environment", "Environment, or any", "production", false),
                ("member", "Uploads as, or a new member", "ci", false),
            ] {
                label {
                    span { (label) }
                    input type="text" name=(name) placeholder=(hint) required[is_required] maxlength="256"
                        autocomplete="off" spellcheck="false";
                }
            }
            div .actions { button type="submit" { "Trust it" } }
        }
    }
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPublisher {
    provider: Option<String>,
    repository: Option<String>,
    owner_id: Option<String>,
    workflow: Option<String>,
    environment: Option<String>,
    member: Option<String>,
}

/// Trusts a repository.
pub(crate) async fn add(
    State(app): State<App>,
    acting: Acting,
    Form { fields }: Form<NewPublisher>,
) -> Result<Response, ApiError> {
    let needed = |value: Option<String>, name: &str| {
        value.ok_or_else(|| ApiError::BadRequest(format!("`{name}` is missing")))
    };
    let request = PublisherRequest {
        provider: needed(fields.provider, "provider")?,
        repository: needed(fields.repository, "repository")?,
        owner_id: needed(fields.owner_id, "owner_id")?,
        workflow: fields.workflow,
        environment: fields.environment,
        issuer: None,
        member: fields.member,
    };
    api::trusted_publishers::add(State(app), acting, Input(request)).await?;
    Ok(see_other("/settings#publishers"))
}

/// Removes a trusted publisher.
pub(crate) async fn remove(
    State(app): State<App>,
    acting: Acting,
    path: PathParam,
    _: Form<Nothing>,
) -> Result<Response, ApiError> {
    api::trusted_publishers::remove(State(app), acting, path).await?;
    Ok(see_other("/settings#publishers"))
}
