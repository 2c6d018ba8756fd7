use std::collections::BTreeSet;

use clap::Args;
use client::{
    Error, Exit,
    prune::{self, Action, Plan, Step},
};

use crate::{context::Context, talk};

/// Remove retired tools from this machine
///
/// Without TOOL_ID, the tools that the org has decided to retire; with it, these. Prints what it would do unless --apply is
/// given. A plugin is disabled only when all that it brings is to go.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only these tools, decided or not [default: the tools with the decision `retire`]
    #[arg(value_name = "TOOL_ID")]
    tools: Vec<String>,
    /// Only print what would be done; this is the default
    #[arg(long, conflicts_with_all = ["apply", "undo"])]
    dry_run: bool,
    /// Do it; a backup stays beside each file
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Take back what was done, of all tools or of these
    #[arg(long)]
    undo: bool,
}

impl Prune {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let tools: BTreeSet<String> = self.tools.into_iter().collect();
        if self.undo {
            let undone = prune::undo(&context.environment, &tools)?;
            return show(&undone, "restored", "there is nothing to take back", context);
        }
        let tools = match tools.is_empty() {
            true => prune::retired(&context.server()?).await?,
            false => tools,
        };
        let plan = prune::plan(&context.environment, &tools)?;
        if !self.apply {
            let nothing = "there is nothing to remove on this machine";
            return show(&plan, "would remove", nothing, context);
        }
        let done = prune::apply(&context.environment, plan)?;
        show(
            &done,
            "removed",
            "there is nothing to remove on this machine",
            context,
        )
    }
}

fn show(plan: &Plan, verb: &str, nothing: &str, context: &Context) -> Result<Exit, Error> {
    if context.json {
        let json = serde_json::to_string(plan).map_err(|error| Error::Output(error.into()))?;
        talk::answer_json(&json)?;
        return Ok(Exit::Done);
    }
    for step in &plan.steps {
        let text = format!("{verb} {}: {}", step.tool_ids.join(", "), place(step));
        talk::answer_line(&model::text::clean_prose(&text))?;
    }
    for skipped in &plan.skipped {
        let text = format!("{} stays: {}", skipped.tool_id, skipped.reason);
        talk::note(&model::text::clean_prose(&text));
    }
    if plan.steps.is_empty() {
        talk::note(nothing);
    } else if !plan.applied {
        talk::note("nothing was changed; --apply does it, and --undo takes it back");
    }
    Ok(Exit::Done)
}

fn place(step: &Step) -> String {
    let file = step.file.display();
    let line = step.line.map_or_else(String::new, |line| format!(":{line}"));
    match step.action {
        Action::Rename => format!("file {file}"),
        Action::RemoveEntry => format!("entry {} of {file}{line}", step.keys.join(" › ")),
        Action::DisablePlugin => {
            let plugin = step.keys.last().map_or("", String::as_str);
            format!("plugin {plugin} in {file}")
        }
    }
}
