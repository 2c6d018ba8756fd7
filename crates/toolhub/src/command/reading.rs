//! What the read commands have in common: send a request and print the response.

use client::{Error, Exit, environment, read::Endpoint, render::Format};

use crate::{context::Context, talk};

/// Sends a request and prints the response: the body for JSON, else a listing, with its notes on stderr.
pub(super) async fn show(endpoint: Endpoint, format: Option<&str>, context: &Context) -> Result<Exit, Error> {
    let format = context.format(format)?;
    let server = context.server()?;
    let body = endpoint.get(&server).await?;
    if format == Format::Json {
        // Parsed to detect a response that is not JSON.
        server.read::<Box<serde_json::value::RawValue>>(&body)?;
        talk::answer_json(&String::from_utf8_lossy(&body))?;
        return Ok(Exit::Done);
    }
    let listing = endpoint.listing(&server, &body, environment::now())?;
    talk::answer(&listing.render(format))?;
    for note in &listing.notes {
        talk::note(note);
    }
    Ok(Exit::Done)
}
