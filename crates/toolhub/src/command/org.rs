use clap::{Args, Subcommand, ValueEnum};
use client::{Error, Exit, server::Method};
use model::administration::OrgChange;
use serde_json::Value;

use super::managing;
use crate::context::Context;

/// Show or change the settings of the org
#[derive(Debug, Args)]
pub(crate) struct Org {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the settings, and change those that are given (owners only)
    Settings(Settings),
    /// Rename the org; its members, tokens and events are kept (owners only)
    Rename {
        /// New slug: 1 to 63 lower-case letters, digits and hyphens
        slug: String,
    },
}

#[derive(Debug, Args)]
struct Settings {
    /// Allow the storage of prompts [default: unchanged]
    #[arg(long, value_enum)]
    task_text: Option<Switch>,
    /// Delete events after DAYS days (1 to 36500), 0 for never [default: unchanged]
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    retention_days: Option<i32>,
    /// Show the names of members on leaderboards [default: unchanged]
    #[arg(long, value_enum)]
    show_names: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Org {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let settings = match self.command {
            Command::Settings(settings) => settings,
            Command::Rename { slug } => {
                let change = OrgChange {
                    org: Some(slug),
                    ..OrgChange::default()
                };
                return managing::send(context, Method::PATCH, "/v1/org", &change, |org| {
                    format!("the org is `{}` now", managing::text(org, "org"))
                })
                .await;
            }
        };
        let on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
        let change = OrgChange {
            task_text_allowed: on(settings.task_text),
            retention_days: settings.retention_days,
            show_names: on(settings.show_names),
            ..OrgChange::default()
        };
        if change != OrgChange::default() {
            return managing::send(context, Method::PATCH, "/v1/org", &change, describe).await;
        }
        let server = context.server()?;
        let body = server.get("/v1/org", &[]).await?;
        managing::show(context, &server, &body, describe)
    }
}

fn describe(answer: &Value) -> String {
    let switch = |key: &str| if answer[key] == true { "on" } else { "off" };
    let days = match answer["retention_days"].as_i64() {
        Some(days) => format!("{days} days"),
        None => "for ever".to_owned(),
    };
    format!(
        "org: {}\ntask text: {}\nevents are kept: {days}\nnames on boards: {}",
        managing::text(answer, "org"),
        switch("task_text_allowed"),
        switch("show_names")
    )
}
