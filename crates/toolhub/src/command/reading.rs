//! What the read commands have in common: send the request, and show the answer.

use client::{Error, Exit, environment, read::Endpoint, render::Format};

use crate::{context::Context, talk};

/// Asks the server and shows its answer: the body as it came as JSON, or laid out with its notes on stderr.
pub(super) async fn show(endpoint: Endpoint, format: Option<&str>, context: &Context) -> Result<Exit, Error> {
    let format = context.format(format)?;
    let server = context.server()?;
    let body = endpoint.get(&server).await?;
    if format == Format::Json {
        // Read, so that an answer that is not ours is reported as such.
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
