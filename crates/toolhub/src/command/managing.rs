//! What commands that change something have in common: send a request and print the response.

use client::{Error, Exit, Server, server::Method};
use serde::Serialize;

use crate::{context::Context, talk};

/// Sends a request and prints the response: the body with --json, else the text of `describe`.
pub(super) async fn send<T: Serialize>(
    context: &Context,
    method: Method,
    path: &str,
    body: &T,
    describe: impl FnOnce(&serde_json::Value) -> String,
) -> Result<Exit, Error> {
    let server = context.server()?;
    server.authorized().await?;
    let mut body = server.send(method, path, &[], Some(body)).await?;
    if body.is_empty() {
        body.extend_from_slice(b"{}");
    }
    show(context, &server, &body, describe)
}

/// Prints a response: the body with --json, else the text of `describe`.
pub(super) fn show(
    context: &Context,
    server: &Server,
    body: &[u8],
    describe: impl FnOnce(&serde_json::Value) -> String,
) -> Result<Exit, Error> {
    let response: serde_json::Value = server.read(body)?;
    if context.json {
        talk::answer_json(&String::from_utf8_lossy(body))?;
    } else {
        talk::answer_line(&model::text::clean_prose(&describe(&response)))?;
    }
    Ok(Exit::Done)
}

/// Checks the confirmation of a deletion before a request is sent.
pub(super) fn confirmed(confirm: &str, handle: &str) -> Result<(), Error> {
    if confirm == handle {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "this deletes every event of `{}` for good, and cannot be taken back; confirm with --confirm {}",
        model::text::clean(handle),
        model::text::clean(handle)
    )))
}

/// A string of a response.
pub(super) fn text<'a>(response: &'a serde_json::Value, key: &str) -> &'a str {
    response[key].as_str().unwrap_or_default()
}
