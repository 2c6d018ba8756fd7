//! The summary of a CI run in Markdown, for the page of a job or a comment.

use std::fmt::Write;

use model::{
    api::{Run, RunTool},
    cell::Cell,
    text,
};

/// Tools that are listed: the page of a job is read at a glance.
const MAX_TOOLS: usize = 20;

/// The calls of a run and its gates, in GitHub's Markdown.
pub fn run_summary(run: &Run) -> String {
    let mut out = String::from("## Tool calls of this run\n\n");
    let totals = &run.totals;
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{} calls of {} tools, {} failed, cost {}.\n",
        totals.events,
        run.tools.len(),
        totals.failures,
        cost(totals)
    );
    if !run.gates.is_empty() {
        out.push_str("| gate | | found |\n|---|---|---|\n");
        for gate in &run.gates {
            let verdict = if gate.passed { "passed" } else { "**failed**" };
            let _ = writeln!(
                out,
                "| {} | {verdict} | {} |",
                code(&gate.gate),
                Cell::text(&gate.detail).markdown()
            );
        }
        out.push('\n');
    }
    if !run.tools.is_empty() {
        out.push_str(
            "| tool | calls | failed | success rate | median | slowest | cost |\n|---|--:|--:|--:|--:|--:|--:|\n",
        );
        for tool in run.tools.iter().take(MAX_TOOLS) {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {} |",
                code(tool.tool_id.as_deref().unwrap_or_default()),
                tool.events,
                tool.failures,
                tool.success_rate
                    .map_or_else(String::new, |rate| format!("{:.0} %", rate * 100.0)),
                duration(tool.median_duration_ms),
                duration(tool.max_duration_ms),
                cost(tool)
            );
        }
        if run.tools.len() > MAX_TOOLS {
            let _ = writeln!(out, "\nand {} more tools", run.tools.len() - MAX_TOOLS);
        }
    }
    out
}

fn cost(calls: &RunTool) -> String {
    calls
        .cost_usd
        .map_or_else(|| "unknown".to_owned(), |usd| format!("${usd:.4}"))
}

fn duration(ms: Option<i64>) -> String {
    ms.map_or_else(String::new, |ms| format!("{ms} ms"))
}

/// A text as code in a cell. Names come from logs: nothing in them may become Markdown.
fn code(name: &str) -> String {
    format!(
        "`{}`",
        text::clean(name).replace(['`', '\n'], "'").replace('|', "\\|")
    )
}

#[cfg(test)]
mod tests {
    use model::api::GateResult;

    use super::*;

    #[test]
    fn the_summary_lists_gates_and_tools_and_a_name_stays_a_name() {
        let tool = RunTool {
            tool_id: Some("mcp:a|b`<img>".into()),
            events: 3,
            failures: 1,
            success_rate: Some(2.0 / 3.0),
            cost_usd: Some(0.25),
            max_duration_ms: Some(900),
            ..RunTool::default()
        };
        let run = Run {
            passed: false,
            gates: vec![GateResult {
                gate: "cost<=0.1".into(),
                passed: false,
                value: Some(0.25),
                detail: "it is 0.25, of 3 calls".into(),
            }],
            totals: tool.clone(),
            tools: vec![tool],
        };
        let text = run_summary(&run);
        for part in [
            "3 calls of 1 tools, 1 failed, cost $0.2500.",
            "| `cost<=0.1` | **failed** | it is 0.25, of 3 calls |",
            r"| `mcp:a\|b'<img>` | 3 | 1 | 67 % |  | 900 ms | $0.2500 |",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
