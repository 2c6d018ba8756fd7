//! What the commands that change something have in common: send, and show what became of it.

use client::{Error, Exit, Server, server::Method};
use serde::Serialize;

use crate::{context::Context, talk};

/// Sends a wish and shows the answer: the body as it came as JSON, or `said` about it.
pub(super) async fn send<T: Serialize>(
    context: &Context,
    method: Method,
    path: &str,
    body: &T,
    said: impl FnOnce(&serde_json::Value) -> String,
) -> Result<Exit, Error> {
    let server = context.server()?;
    server.authorized().await?;
    let mut body = server.send(method, path, &[], Some(body)).await?;
    if body.is_empty() {
        body.extend_from_slice(b"{}");
    }
    show(context, &server, &body, said)
}

/// Shows an answer: the body as it came as JSON, or `said` about it.
pub(super) fn show(
    context: &Context,
    server: &Server,
    body: &[u8],
    said: impl FnOnce(&serde_json::Value) -> String,
) -> Result<Exit, Error> {
    let answer: serde_json::Value = server.read(body)?;
    if context.json {
        talk::answer_json(&String::from_utf8_lossy(body))?;
    } else {
        talk::answer_line(&model::text::clean_prose(&said(&answer)))?;
    }
    Ok(Exit::Done)
}

/// A deletion names whose data it deletes, before anything is asked of a server.
pub(super) fn confirmed(confirm: &str, handle: &str) -> Result<(), Error> {
    if confirm == handle {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "this deletes every event of `{}` for good, and cannot be taken back; say so with --confirm {}",
        model::text::clean(handle),
        model::text::clean(handle)
    )))
}

/// A text of an answer.
pub(super) fn text<'a>(answer: &'a serde_json::Value, key: &str) -> &'a str {
    answer[key].as_str().unwrap_or_default()
}
