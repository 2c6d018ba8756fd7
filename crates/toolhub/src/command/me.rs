use clap::{Args, Subcommand};
use client::{Error, Exit, read::segment, server::Method};
use model::administration::MyChange;

use super::managing;
use crate::{context::Context, talk};

/// Export or delete your data, and change your settings
#[derive(Debug, Args)]
pub(crate) struct Me {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print all data that the server stores about you, as JSON
    Export,
    /// Delete all your events permanently; the server then refuses events from before the deletion
    Delete {
        /// Your handle, to confirm the deletion, which cannot be undone
        #[arg(long, value_name = "HANDLE")]
        confirm: String,
    },
    /// Accept events again that occurred before your data was deleted, by you or by an admin
    AcceptDeleted,
    /// Hide yourself on the leaderboard of members
    OptOut,
    /// Show yourself on the leaderboard of members
    OptIn,
}

impl Me {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let change = match self.command {
            Command::Export => {
                let body = context.server()?.get("/v1/me/data", &[]).await?;
                let body = String::from_utf8_lossy(&body);
                // A broken connection is not always reported as an error.
                if !body.trim_end().ends_with('}') {
                    return Err(Error::Incomplete("the export"));
                }
                talk::answer_json(&body)?;
                return Ok(Exit::Done);
            }
            Command::Delete { confirm } => {
                let server = context.server()?;
                server.authorized().await?;
                let me: model::api::Me = server.get_as("/v1/me", &[]).await?;
                managing::confirmed(&confirm, &me.member)?;
                let path = format!("/v1/me/data?confirm={}", segment(&confirm));
                return managing::send(context, Method::DELETE, &path, &serde_json::json!({}), |answer| {
                    format!(
                        "deleted {} events; what occurred before now is refused from now on",
                        answer["events"]
                    )
                })
                .await;
            }
            Command::AcceptDeleted => MyChange {
                accept_deleted: Some(true),
                ..MyChange::default()
            },
            Command::OptOut => MyChange {
                board_opt_out: Some(true),
                ..MyChange::default()
            },
            Command::OptIn => MyChange {
                board_opt_out: Some(false),
                ..MyChange::default()
            },
        };
        managing::send(context, Method::PATCH, "/v1/me/settings", &change, |answer| {
            let shown = if answer["board_opt_out"] == true {
                "hidden"
            } else {
                "shown"
            };
            let events = match answer["events_before"].as_str() {
                Some(cut) => format!("events before {cut} are refused"),
                None => "events from any time are accepted".to_owned(),
            };
            format!("you are {shown} on the leaderboard of members; {events}")
        })
        .await
    }
}
