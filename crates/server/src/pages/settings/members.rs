//! Members: roles, invitations, deactivation. For admins.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use model::{
    administration::{Invitation, Member, MemberChange, MemberRequest},
    api::query::MembersQuery,
    cell::Cell,
    limits,
    team::{MemberKind, Role},
    text,
};
use serde::Deserialize;

use super::super::{
    form::{Form, Nothing},
    layout, links,
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

/// The members, each with its form, and a form for a new one.
pub(super) async fn section(visit: &Visit) -> Result<Markup, ApiError> {
    let query = MembersQuery {
        limit: Some(limits::PAGE_ROWS),
        ..MembersQuery::default()
    };
    let found = api::members::list(State(visit.app.clone()), visit.caller(), Query(query))
        .await?
        .0;
    Ok(html! {
        section #members {
            h2 { "Members" }
            div .split {
            div {
            div .scroll role="region" aria-label="Members" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "member" }
                            th scope="col" { "kind" }
                            th scope="col" .figure { "tokens" }
                            th scope="col" .figure { "last seen" }
                            th scope="col" { "role" }
                            th scope="col" { "access" }
                        }
                    }
                    tbody { @for member in &found.members { (row(visit, member)) } }
                }
            }
            @if found.next_cursor.is_some() {
                p .fine { "These are the first " (limits::PAGE_ROWS) ". The rest:" }
                pre { code { "toolhub members list" } }
            }
            }
            div {
                h3 { "Add a member" }
                (add_form(visit))
            }
            }
        }
    })
}

fn row(visit: &Visit, member: &Member) -> Markup {
    let handle = text::clean(&member.handle);
    let path = form_path(&member.handle);
    let is_active = member.deactivated_at.is_none();
    html! {
        tr {
            th scope="row" { a href=(links::member(&member.handle)) { bdi { (handle) } } }
            td { (member.kind) }
            td .figure { (Cell::count(member.tokens).human()) }
            td .figure { (Cell::time(member.last_seen_at, visit.now).human()) }
            td {
                form .inline method="post" action=(path) {
                    (visit.token_field())
                    select name="role" aria-label=(format!("Role of {handle}")) {
                        @for role in Role::ALL { option value=(role) selected[*role == member.role] { (role) } }
                    }
                    button type="submit" aria-label=(format!("Save the role of {handle}")) { "Save" }
                }
            }
            td {
                div .inline {
                    form method="post" action=(path) {
                        (visit.token_field())
                        @if is_active {
                            button .danger type="submit" name="active" value="false"
                                aria-label=(format!("Deactivate {handle}")) { "Deactivate" }
                        } @else {
                            button type="submit" name="active" value="true"
                                aria-label=(format!("Reactivate {handle}")) { "Reactivate" }
                        }
                    }
                    @if is_active {
                        form method="post" action=(format!("{path}/invitation")) {
                            (visit.token_field())
                            button type="submit" aria-label=(format!("Invite again: {handle}")) { "Invite again" }
                        }
                    }
                }
            }
        }
    }
}

/// The path of the form of a member.
fn form_path(handle: &str) -> String {
    format!("/settings{}", links::member(handle))
}

fn add_form(visit: &Visit) -> Markup {
    html! {
        form .stack method="post" action="/settings/members" {
            (visit.token_field())
            label for="handle" { "Handle" }
            input #handle type="text" name="handle" required maxlength="64" autocomplete="off" spellcheck="false";
            label for="role" { "Role" }
            select #role name="role" {
                @for role in Role::ALL { option value=(role) selected[*role == Role::Member] { (role) } }
            }
            label for="kind" { "Kind" }
            select #kind name="kind" { @for kind in MemberKind::ALL { option value=(kind) { (kind) } } }
            button .primary type="submit" { "Add and invite" }
        }
    }
}

/// What the form of a new member sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMember {
    handle: Option<String>,
    role: Option<Role>,
    kind: Option<MemberKind>,
}

/// Adds a member, and shows the invitation once.
pub(crate) async fn add(
    visit: Visit,
    acting: Acting,
    Form { fields }: Form<NewMember>,
) -> Result<Response, ApiError> {
    let request = MemberRequest {
        handle: fields.handle,
        role: fields.role,
        kind: fields.kind,
        invite: Some(true),
    };
    let (_, added) = api::members::add(State(visit.app.clone()), acting, Input(request)).await?;
    match &added.0.invitation {
        Some(invitation) => invited(&visit, &added.0.member.handle, invitation),
        None => Ok(see_other("/settings#members")),
    }
}

/// Invites a member again, and shows the invitation once.
pub(crate) async fn invite(
    visit: Visit,
    acting: Acting,
    PathParam(handle): PathParam,
    _: Form<Nothing>,
) -> Result<Response, ApiError> {
    let path = PathParam(handle.clone());
    let (_, invitation) = api::members::invite(State(visit.app.clone()), acting, path).await?;
    invited(&visit, &handle, &invitation.0)
}

fn invited(visit: &Visit, handle: &str, invitation: &Invitation) -> Result<Response, ApiError> {
    let server = invitation.server_url.as_deref().unwrap_or("URL");
    let command = format!(
        "echo {} | toolhub login {server} --with-token",
        invitation.token.token.reveal()
    );
    let title = format!("{handle} is invited");
    let content = html! {
        p { "Send this command to " bdi { (text::clean(handle)) } ". It works once, within 7 days, and is not shown again." }
        pre { code { (command) } }
        @if invitation.server_url.is_none() {
            p .fine { "URL is the address under which " bdi { (text::clean(handle)) } " reaches this server." }
        }
        p { a href="/settings#members" { "Back to the members" } }
    };
    layout::Page {
        visit,
        title: &title,
        section: "/settings",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}

/// What the forms of a member send: one of both.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    role: Option<Role>,
    active: Option<bool>,
}

/// Changes a member.
pub(crate) async fn change(
    State(app): State<App>,
    acting: Acting,
    path: PathParam,
    Form { fields }: Form<Change>,
) -> Result<Response, ApiError> {
    let change = MemberChange {
        handle: None,
        role: fields.role,
        active: fields.active,
    };
    api::members::change(State(app), acting, path, Input(change)).await?;
    Ok(see_other("/settings#members"))
}
