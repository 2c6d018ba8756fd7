//! `/me/device`: a person confirms or denies the login of a machine.

use axum::{Extension, http::StatusCode, response::Response};
use maud::{Markup, html};
use model::{team::Scope, text, token::UserCode};
use serde::Deserialize;
use store::device_logins::WaitingLogin;

use super::super::{form::Form, layout, visit::Visit};
use crate::{address::ClientAddress, auth::Acting, error::ApiError, extract::Query};

/// What the link of the command line brings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    code: Option<String>,
}

/// The login that waits under the code, or a field to type one.
pub(crate) async fn get(
    visit: Visit,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Query(asked): Query<Asked>,
) -> Result<Response, ApiError> {
    let Some(typed) = asked.code.filter(|code| !code.is_empty()) else {
        return respond(&visit, "Log in a machine", code_form(false));
    };
    let code = UserCode::parse(&typed);
    let found = match &code {
        Some(code) => visit.app.store.device_login_find(code, visit.now).await?,
        None => None,
    };
    if let (Some(code), Some(login)) = (code, found) {
        return respond(&visit, "Log in a machine", question(&visit, &code, &login));
    }
    visit.app.rates.charge_refused(address);
    let mut response = respond(&visit, "Log in a machine", code_form(true))?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    code: Option<String>,
    decision: Option<Word>,
}

/// What the person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Confirm,
    Deny,
}

/// Confirms or denies a login.
pub(crate) async fn decide(
    visit: Visit,
    Acting(act): Acting,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Form { fields }: Form<Decision>,
) -> Result<Response, ApiError> {
    let Some(decision) = fields.decision else {
        return Err(ApiError::BadRequest("`decision` is `confirm` or `deny`".into()));
    };
    let unknown = || {
        visit.app.rates.charge_refused(address);
        ApiError::NotFound("no login waits under this code; `toolhub login` shows another".into())
    };
    let code = fields
        .code
        .as_deref()
        .and_then(UserCode::parse)
        .ok_or_else(unknown)?;
    let confirm = decision == Word::Confirm;
    let decided = match visit.app.store.device_login_decide(&act, &code, confirm).await {
        Err(store::StoreError::NotFound(_)) => return Err(unknown()),
        other => other?,
    };
    let machine = text::clean(&decided.machine);
    if confirm {
        let content = html! {
            p { bdi { (machine) } " gets its token now. You can close this page and go back to the terminal." }
            p { "The token is one of " a href="/settings#tokens" { "your tokens" } ", where you can revoke it." }
        };
        respond(&visit, "The machine is logged in", content)
    } else {
        let content = html! { p { bdi { (machine) } " gets no token. You can close this page." } };
        respond(&visit, "The login is denied", content)
    }
}

fn question(visit: &Visit, code: &UserCode, login: &WaitingLogin) -> Markup {
    let allowed: Vec<Scope> = login
        .scopes
        .iter()
        .copied()
        .filter(|scope| visit.caller.scopes.contains(scope))
        .collect();
    let code = code.reveal();
    html! {
        p { "A machine asks for a token of yours. Confirm only if you have just run " code { "toolhub login" }
            " and the terminal shows this code:" }
        p { strong { (code) } }
        dl .facts {
            dt { "Machine" } dd { bdi { (text::clean(&login.machine)) } }
            @if let Some(address) = login.address { dt { "Address" } dd { (address) } }
            dt { "Asked" } dd { (layout::time(login.created_at, visit.now)) }
            dt { "Member" } dd { bdi { (text::clean(&visit.caller.handle)) } " of " (text::clean(&visit.caller.org_slug)) }
            dt { "May" } dd { (words(&allowed)) }
        }
        p .fine { "The machine chose its name itself. Who sends you a code or a link asks for access to your account: deny it." }
        @if allowed.is_empty() {
            p .alert role="alert" { "Your session allows nothing of what the machine asks for (" (words(&login.scopes)) ")." }
        }
        form .stack method="post" action="/me/device" {
            (visit.token_field())
            input type="hidden" name="code" value=(code);
            @if !allowed.is_empty() {
                button .primary type="submit" name="decision" value="confirm" { "Log the machine in" }
            }
            button .danger type="submit" name="decision" value="deny" { "Deny" }
        }
    }
}

fn words(scopes: &[Scope]) -> String {
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

fn code_form(is_refused: bool) -> Markup {
    html! {
        @if is_refused {
            p .alert role="alert" {
                "No login waits under this code: it was used, has expired, or was mistyped."
            }
        }
        form .stack method="get" action="/me/device" {
            label for="code" { "The code that the terminal shows" }
            input #code type="text" name="code" required maxlength="16" autocomplete="off" spellcheck="false"
                placeholder="BCDF-GHJK" aria-invalid=[is_refused.then_some("true")];
            button .primary type="submit" { "Continue" }
        }
        p { "A machine asks for a code with this command, URL being the address of this server:" }
        pre { code { "toolhub login URL" } }
    }
}

fn respond(visit: &Visit, title: &str, content: Markup) -> Result<Response, ApiError> {
    layout::Page {
        visit,
        title,
        section: "/me",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}
