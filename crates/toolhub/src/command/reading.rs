//! What the read commands have in common: send a request and print the response.

use client::{
    Error, Exit, environment,
    read::Endpoint,
    render::{Format, Listing},
};

use crate::{
    args::{Output, Wide},
    context::Context,
    talk,
};

/// Sends a request and prints the response: the body for JSON, else a listing, with its notes on stderr.
pub(super) async fn show(endpoint: Endpoint, output: &Output, context: &Context) -> Result<Exit, Error> {
    let format = context.format(output.format.as_deref())?;
    let server = context.server()?;
    let body = endpoint.get(&server).await?;
    if format == Format::Json {
        // Parsed to detect a response that is not JSON.
        server.read::<Box<serde_json::value::RawValue>>(&body)?;
        talk::answer_json(&String::from_utf8_lossy(&body))?;
        return Ok(Exit::Done);
    }
    let listing = endpoint.listing(&server, &body, environment::now())?;
    print(&listing, format, output.wide)?;
    for note in &listing.notes {
        talk::note(note);
    }
    Ok(Exit::Done)
}

/// Prints a listing. A note names the columns that the terminal has no room for.
pub(super) fn print(listing: &Listing, format: Format, wide: Wide) -> Result<(), Error> {
    let screen = talk::screen(wide.wide);
    talk::answer(&listing.render(format, screen))?;
    if format == Format::Table
        && let Some(note) = listing.left_out(screen)
    {
        talk::note(&note);
    }
    Ok(())
}
