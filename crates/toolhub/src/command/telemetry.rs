use clap::{Args, Subcommand};
use client::{
    Error, Exit,
    telemetry::{Sender, settings},
};

use crate::{context::Context, talk};

/// Set up agents to push OpenTelemetry to the server
#[derive(Debug, Args)]
pub(crate) struct Telemetry {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the environment variables and settings that an agent needs
    Env(Env),
}

#[derive(Debug, Args)]
struct Env {
    /// Only for AGENT [default: all]
    #[arg(long, value_name = "AGENT", value_parser = sender)]
    agent: Option<Sender>,
    /// Let Claude Code send the names of MCP tools, skills and subagents; it then also sends commands and inputs, which
    /// the server drops
    #[arg(long)]
    details: bool,
}

fn sender(name: &str) -> Result<Sender, String> {
    let found = Sender::ALL.into_iter().find(|sender| sender.as_str() == name);
    found.ok_or_else(|| {
        let names = Sender::ALL.map(Sender::as_str).join(", ");
        format!("the agents that send OpenTelemetry are {names}")
    })
}

/// What is printed where no token was given.
const PLACEHOLDER: &str = "TOKEN";

impl Telemetry {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Error> {
        let Action::Env(Env { agent, details }) = self.action;
        let url = context.url()?;
        let token = context.given_token().unwrap_or(PLACEHOLDER);
        let senders = agent.map_or(Sender::ALL.to_vec(), |agent| vec![agent]);
        let settings: Vec<_> = senders
            .into_iter()
            .flat_map(|sender| settings(sender, &url, token, details))
            .collect();
        if context.json {
            talk::answer_json(&serde_json::json!({ "url": url, "settings": settings }).to_string())?;
            return Ok(Exit::Done);
        }
        for setting in &settings {
            talk::answer_line(&format!("# {}: {}", setting.agent, setting.goes_to))?;
            talk::answer_line(&setting.lines)?;
        }
        if context.given_token().is_none() {
            talk::note(&format!(
                "Replace {PLACEHOLDER} by a token with scope upload, or give it with --token or TOOLHUB_TOKEN"
            ));
        }
        Ok(Exit::Done)
    }
}
