use std::{
    io::{BufRead, stdin},
    thread,
};

use clap::Args;
use client::{Error, Exit, mcp};
use tokio::sync::mpsc;

use crate::{context::Context, talk};

/// Answer an agent's questions about the team's tools, as an MCP server on stdin and stdout
///
/// Add it to an agent with `claude mcp add toolhub -- toolhub mcp`. It needs a token with the scope read.
#[derive(Debug, Args)]
pub(crate) struct Mcp {}

impl Mcp {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let server = context.server()?;
        let (send, mut lines) = mpsc::channel(1);
        // A thread of its own: reading stdin cannot be cancelled, and Ctrl-C must end the command.
        thread::spawn(move || {
            stdin()
                .lock()
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| send.blocking_send(line))
        });
        while let Some(line) = lines.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            if let Some(answer) = mcp::answer(&server, &line).await {
                talk::answer_json(&answer)?;
            }
        }
        Ok(Exit::Done)
    }
}
