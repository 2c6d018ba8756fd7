//! What the commands that change something have in common: send, and show what became of it.

use client::{Error, Exit, server::Method};
use serde::Serialize;

use crate::{context::Context, talk};

/// Sends a wish and shows the answer: the body byte for byte as JSON, or `said` about it.
pub(super) async fn send<T: Serialize>(
    context: &Context,
    method: Method,
    path: &str,
    body: &T,
    said: impl FnOnce(&serde_json::Value) -> String,
) -> Result<Exit, Error> {
    let server = context.server()?;
    server.token()?;
    let body = server.send(method, path, &[], Some(body)).await?;
    let answer: serde_json::Value = if body.is_empty() {
        serde_json::json!({})
    } else {
        server.read(&body)?
    };
    if context.json {
        talk::answer_line(&answer.to_string())?;
    } else {
        talk::answer_line(&model::text::clean_prose(&said(&answer)))?;
    }
    Ok(Exit::Done)
}

/// A text of an answer.
pub(super) fn text<'a>(answer: &'a serde_json::Value, key: &str) -> &'a str {
    answer[key].as_str().unwrap_or_default()
}
