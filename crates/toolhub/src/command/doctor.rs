use clap::Args;
use client::{
    Error, Exit,
    doctor::{self, Check, Health},
};

use crate::{context::Context, talk};

/// Check everything that an upload needs, and print how to fix problems
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let checks = doctor::run_checks(&context.environment, context.server()).await;
        if context.json {
            talk::answer_json(&serde_json::json!({ "checks": checks }).to_string())?;
        } else {
            // The checks contain names of files, which are not trusted.
            let shown: String = checks.iter().map(show).collect();
            talk::answer(&model::text::clean_prose(&shown))?;
        }
        let broken = checks.iter().any(|check| check.health == Health::Broken);
        Ok(if broken { Exit::Failed } else { Exit::Done })
    }
}

fn show(check: &Check) -> String {
    let mark = match check.health {
        Health::Ok => "ok     ",
        Health::Warning => "warning",
        Health::Broken => "broken ",
    };
    let fix = check
        .fix
        .as_ref()
        .map(|fix| format!("\n          fix: {fix}"))
        .unwrap_or_default();
    format!("{mark} {}: {}{fix}\n", check.name, check.found)
}
