use clap::Args;
use client::{
    Error, Exit,
    status::{self, Latest, stamp},
};

use crate::{context::Context, talk};

/// Show what was and was not uploaded from this machine, and what needs attention
///
/// Exits with 1 if something needs attention.
#[derive(Debug, Args)]
pub(crate) struct Status {}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let status = status::status(&context.environment, &context.server()?).await;
        if context.json {
            let text = serde_json::to_string(&status).map_err(|error| Error::Output(error.into()))?;
            talk::answer_json(&text)?;
        } else {
            // Errors may quote what a server said, which is not trusted.
            talk::answer(&model::text::clean_prose(&show(&status)))?;
        }
        Ok(if status.warnings.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        })
    }
}

fn show(status: &status::Status) -> String {
    let mut lines = vec![format!("server: {}", status.url)];
    for (trigger, latest) in &status.uploads {
        let Latest {
            last_success,
            last_error,
            ..
        } = latest;
        let success = last_success.map_or_else(|| "never".to_owned(), stamp);
        lines.push(format!("last upload ({trigger}): {success}"));
        if let Some(error) = last_error {
            lines.push(format!(
                "last error ({trigger}): {}: {}",
                stamp(error.at),
                error.detail
            ));
        }
    }
    lines.push(format!(
        "not uploaded: {} logs, {} kB",
        status.waiting_logs,
        status.waiting_bytes / 1_000
    ));
    if let Some(ends) = status.token_expires_at {
        lines.push(format!("token ends: {}", ends.format("%Y-%m-%d")));
    }
    lines.extend(
        status
            .warnings
            .iter()
            .map(|warning| format!("attention: {warning}")),
    );
    lines.join("\n") + "\n"
}
