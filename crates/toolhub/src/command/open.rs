use std::env;

use clap::Args;
use client::{Error, Exit, server::Method};
use model::administration::{PageLink, PageLinkRequest};

use crate::{context::Context, talk};

/// Open the pages in the browser, signed in by a link that works once
///
/// The link is valid for a few minutes and signs one browser in as the member of your token.
#[derive(Debug, Args)]
pub(crate) struct Open {
    /// Path of the page, such as /tools or /dead-weight?days=7 [default: /]
    path: Option<String>,
    /// Print the link to stdout and start no browser
    #[arg(long)]
    print: bool,
}

impl Open {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let server = context.server()?;
        server.authorized().await?;
        let request = PageLinkRequest { path: self.path };
        let body = server
            .send(Method::POST, "/v1/page-links", &[], Some(&request))
            .await?;
        if context.json {
            talk::answer_json(&String::from_utf8_lossy(&body))?;
            return Ok(Exit::Done);
        }
        let link: PageLink = server.read(&body)?;
        let url = format!("{}{}", server.url(), link.path);
        if self.print {
            talk::answer_line(&url)?;
        } else if start_browser(&url) {
            talk::note(&format!("opened {} in the browser", server.url()));
        } else {
            talk::note("no browser can be started here; this link signs one in, once:");
            talk::answer_line(&url)?;
        }
        Ok(Exit::Done)
    }
}

/// Opens an address in the browser of this machine; false where there is none.
pub(super) fn start_browser(url: &str) -> bool {
    has_screen() && opener::open_browser(url).is_ok()
}

/// False where only a browser for the terminal could start.
fn has_screen() -> bool {
    !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}
