use clap::Args;
use client::{
    Error, Exit,
    doctor::{self, Check, Health},
};

use crate::{context::Context, talk};

/// Look at everything an upload needs, and say how to mend what is wrong
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let checks = doctor::examine(&context.environment, context.server()).await;
        if context.json {
            talk::answer_json(&serde_json::json!({ "checks": checks }).to_string())?;
        } else {
            // It names files of this machine.
            let shown: String = checks.iter().map(show).collect();
            talk::answer(&model::text::clean_prose(&shown))?;
        }
        let broken = checks.iter().any(|check| check.health == Health::Broken);
        Ok(if broken { Exit::Failed } else { Exit::Done })
    }
}

fn show(check: &Check) -> String {
    let mark = match check.health {
        Health::Ok => "ok    ",
        Health::Odd => "odd   ",
        Health::Broken => "broken",
    };
    let fix = check
        .fix
        .as_ref()
        .map(|fix| format!("\n         fix: {fix}"))
        .unwrap_or_default();
    format!("{mark} {}: {}{fix}\n", check.name, check.found)
}
