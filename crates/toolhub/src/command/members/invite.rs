//! Invitations: one member again, or a team from a file.

use std::{
    fs,
    io::{self, IsTerminal},
    path::Path,
};

use client::{Error, Exit, Server, address, server::Method};
use model::{
    administration::{INVITATION_DAYS, MemberRequest},
    team::{Role, check_handle},
};
use serde_json::{Value, json};

use super::path;
use crate::{context::Context, talk};

/// A member of a file. Those of the command line have no role, because they are members already.
struct Invited {
    handle: String,
    role: Option<Role>,
}

pub(super) async fn run(context: &Context, handles: &[String], file: Option<&Path>) -> Result<Exit, Error> {
    let invited = match file {
        Some(file) => read(file)?,
        None => handles
            .iter()
            .map(|handle| Invited {
                handle: handle.clone(),
                role: None,
            })
            .collect(),
    };
    let server = context.server()?;
    server.authorized().await?;
    let mut invitations = Vec::new();
    for (nth, one) in invited.iter().enumerate() {
        match invite(&server, one).await {
            Ok(invitation) => {
                print(context, one, &invitation, invited.len() == 1)?;
                invitations.push(json!({ "handle": one.handle, "invitation": invitation }));
            }
            Err(error) => {
                if nth > 0 {
                    talk::error(&format!(
                        "{nth} of {} were invited, up to `{}`; run the command again for the rest",
                        invited.len(),
                        invited[nth - 1].handle
                    ));
                }
                return Err(error);
            }
        }
    }
    if context.json {
        talk::answer_json(&json!({ "invitations": invitations }).to_string())?;
    }
    Ok(Exit::Done)
}

/// Reads `HANDLE [ROLE]` lines. All of them are checked before the first is invited.
fn read(file: &Path) -> Result<Vec<Invited>, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::File {
        path: file.to_owned(),
        source,
    })?;
    let mut invited = Vec::new();
    for (nth, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split([' ', '\t', ',', ';']).filter(|word| !word.is_empty());
        let Some(handle) = words.next() else { continue };
        let wrong = |detail: String| Error::Usage(format!("{}:{}: {detail}", file.display(), nth + 1));
        check_handle(handle).map_err(|error| wrong(error.to_string()))?;
        let role = words.next().map_or(Ok(Role::Member), str::parse);
        let role = role.map_err(|error| wrong(error.to_string()))?;
        if words.next().is_some() {
            return Err(wrong("a line is a handle, and a role after it".to_owned()));
        }
        invited.push(Invited {
            handle: handle.to_owned(),
            role: Some(role),
        });
    }
    if invited.is_empty() {
        return Err(Error::Usage(format!("{}: no handles in it", file.display())));
    }
    Ok(invited)
}

/// Invites a member; one of a file is added first if the org does not have them.
async fn invite(server: &Server, invited: &Invited) -> Result<Value, Error> {
    if let Some(role) = invited.role {
        let request = MemberRequest {
            handle: Some(invited.handle.clone()),
            role: Some(role),
            invite: Some(true),
            ..MemberRequest::default()
        };
        match server
            .send(Method::POST, "/v1/members", &[], Some(&request))
            .await
        {
            Ok(body) => return Ok(server.read::<Value>(&body)?["invitation"].clone()),
            // A member already.
            Err(Error::Refused { status: 409, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let path = format!("{}/invitation", path(&invited.handle));
    let body = server.send(Method::POST, &path, &[], Some(&json!({}))).await?;
    server.read(&body)
}

fn print(context: &Context, invited: &Invited, invitation: &Value, alone: bool) -> Result<(), Error> {
    if context.json {
        return Ok(());
    }
    let url = context.url()?;
    if alone {
        return talk::answer_line(&present(&invited.handle, invitation, &url));
    }
    let line = Acceptance::of(invitation, &url).line();
    talk::answer_line(&model::text::clean_prose(&format!("{}\t{line}", invited.handle)))
}

/// What goes to stdout for one invitation: on a terminal the line to send, elsewhere the token alone, for a script. A note
/// says what to do with it.
pub(super) fn present(handle: &str, invitation: &Value, own_url: &str) -> String {
    let acceptance = Acceptance::of(invitation, own_url);
    let is_terminal = io::stdout().is_terminal();
    if is_terminal {
        talk::note(&format!(
            "Send `{handle}` this line; it works once, within {INVITATION_DAYS} days:"
        ));
    } else {
        talk::note(&format!(
            "Hand `{handle}` this token; it works once, within {INVITATION_DAYS} days: `{}` reads it",
            acceptance.command()
        ));
    }
    if address::is_loopback(&acceptance.url) {
        talk::note(
            "The address is that of this machine: put the one that others use in its place, or start the server with \
             --public-url",
        );
    }
    if is_terminal {
        acceptance.line()
    } else {
        invitation["token"].as_str().unwrap_or_default().to_owned()
    }
}

/// How an invitation is accepted.
struct Acceptance {
    /// The address under which members reach the server.
    url: String,
    token: String,
}

impl Acceptance {
    fn of(invitation: &Value, own_url: &str) -> Acceptance {
        // It is pasted into a shell: nothing that a shell reads otherwise.
        let is_plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || ":/._-[]".contains(c))
        };
        let url = invitation["server_url"]
            .as_str()
            .and_then(|url| address::normalize_url(url).ok())
            .filter(|url| is_plain(url))
            .unwrap_or_else(|| own_url.to_owned());
        let token = invitation["token"].as_str().filter(|token| is_plain(token));
        Acceptance {
            url,
            token: token.unwrap_or("TOKEN").to_owned(),
        }
    }

    /// The command that reads the token.
    fn command(&self) -> String {
        format!("toolhub login --with-token --url {}", self.url)
    }

    /// The line that a member pastes.
    fn line(&self) -> String {
        format!("echo {} | {}", self.token, self.command())
    }
}
