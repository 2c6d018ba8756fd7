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
}

#[derive(Debug, Args)]
struct Settings {
    /// Allow the storage of prompts
    #[arg(long, value_enum)]
    task_text: Option<Switch>,
    /// Delete events after DAYS days, 0 for never
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<i32>,
    /// Show the names of members on leaderboards
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
        let Command::Settings(settings) = self.command;
        let on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
        let change = OrgChange {
            task_text_allowed: on(settings.task_text),
            retention_days: settings.retention_days,
            show_names: on(settings.show_names),
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
        "task text: {}\nevents are kept: {days}\nnames on boards: {}",
        switch("task_text_allowed"),
        switch("show_names")
    )
}
