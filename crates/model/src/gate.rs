//! A condition on the calls of a CI run, such as `mcp:linear success_rate>=0.9` or `cost<=2.50`.

use std::{fmt, str::FromStr};

use crate::{ToolId, api::RunTool};

/// What a gate compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    Events,
    Successes,
    Failures,
    Abandoned,
    Unknown,
    SuccessRate,
    DecidedRate,
    Cost,
    MedianDuration,
    MaxDuration,
}

const METRICS: [(&str, Metric); 11] = [
    ("events", Metric::Events),
    ("successes", Metric::Successes),
    ("failures", Metric::Failures),
    ("abandoned", Metric::Abandoned),
    ("unknown", Metric::Unknown),
    ("success_rate", Metric::SuccessRate),
    ("decided_rate", Metric::DecidedRate),
    ("cost", Metric::Cost),
    ("cost_usd", Metric::Cost),
    ("median_duration_ms", Metric::MedianDuration),
    ("max_duration_ms", Metric::MaxDuration),
];

/// The longer ones first: `>` is the beginning of `>=`.
const COMPARISONS: [&str; 5] = [">=", "<=", "==", ">", "<"];

/// A condition on one tool, or on all calls of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    text: String,
    tool: Option<ToolId>,
    metric: Metric,
    comparison: &'static str,
    bound: f64,
}

/// A text that is not a gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a gate: write `TOOL METRIC>=N` or `METRIC<=N`, as in `mcp:linear success_rate>=0.9` or `cost<=2.50`. Metrics: events, successes, failures, abandoned, unknown, success_rate, decided_rate, cost, median_duration_ms, max_duration_ms"
)]
pub struct InvalidGate(String);

impl FromStr for Gate {
    type Err = InvalidGate;

    fn from_str(text: &str) -> Result<Gate, InvalidGate> {
        parse(text).ok_or_else(|| InvalidGate(crate::text::clean(text).into_owned()))
    }
}

fn parse(text: &str) -> Option<Gate> {
    let text = text.trim();
    let (at, comparison) = COMPARISONS
        .into_iter()
        .filter_map(|comparison| Some((text.rfind(comparison)?, comparison)))
        .min_by_key(|(at, comparison)| (*at, std::cmp::Reverse(comparison.len())))?;
    let bound: f64 = text[at + comparison.len()..].trim().parse().ok()?;
    let subject = text[..at].trim();
    let (tool, metric) = match subject.rsplit_once(char::is_whitespace) {
        Some((tool, metric)) => (Some(ToolId::parse(tool.trim()).ok()?), metric),
        None => (None, subject),
    };
    let (_, metric) = METRICS.into_iter().find(|(name, _)| *name == metric)?;
    bound.is_finite().then(|| Gate {
        text: text.to_owned(),
        tool,
        metric,
        comparison,
        bound,
    })
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Gate {
    /// The tool that it is about; `None` for all calls together.
    pub fn tool(&self) -> Option<&ToolId> {
        self.tool.as_ref()
    }

    /// Judges calls: whether they pass, and the value. A gate about a value that these calls do not have, such as the
    /// success rate of a tool that was not called, does not pass: nothing shows that it holds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts and durations are far below 2^53"
    )]
    #[expect(clippy::float_cmp, reason = "the caller asked for exactly this number")]
    pub fn judge(&self, calls: &RunTool) -> (bool, Option<f64>) {
        let value = match self.metric {
            Metric::Events => Some(calls.events as f64),
            Metric::Successes => Some(calls.successes as f64),
            Metric::Failures => Some(calls.failures as f64),
            Metric::Abandoned => Some(calls.abandoned as f64),
            Metric::Unknown => Some(calls.unknown as f64),
            Metric::SuccessRate => calls.success_rate,
            Metric::DecidedRate => calls.decided_rate,
            // Calls without a known cost cost nothing that is known.
            Metric::Cost => Some(calls.cost_usd.unwrap_or(0.0)),
            Metric::MedianDuration => calls.median_duration_ms.map(|ms| ms as f64),
            Metric::MaxDuration => calls.max_duration_ms.map(|ms| ms as f64),
        };
        let passed = value.is_some_and(|value| match self.comparison {
            ">=" => value >= self.bound,
            "<=" => value <= self.bound,
            ">" => value > self.bound,
            "<" => value < self.bound,
            _ => value == self.bound,
        });
        (passed, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_a_tool_or_nothing_a_metric_a_comparison_and_a_number() {
        let calls = RunTool {
            events: 10,
            failures: 2,
            success_rate: Some(0.8),
            cost_usd: Some(2.5),
            ..RunTool::default()
        };
        for (text, tool, passed) in [
            ("cost<=2.50", None, true),
            ("cost < 2.5", None, false),
            ("mcp:linear success_rate>=0.9", Some("mcp:linear"), false),
            ("mcp:linear  success_rate >= 0.8", Some("mcp:linear"), true),
            ("builtin:Bash failures==2", Some("builtin:Bash"), true),
            ("events>9", None, true),
            ("median_duration_ms<=1000000", None, false),
        ] {
            let gate: Gate = text.parse().unwrap();
            assert_eq!(gate.tool().map(ToolId::as_str), tool, "{text}");
            assert_eq!(gate.judge(&calls).0, passed, "{text}");
        }
        for wrong in [
            "",
            "cost",
            "cost<=",
            "cost<=much",
            "cost<=NaN",
            "price<=1",
            "linear cost<=1",
            "<=1",
        ] {
            let error = wrong.parse::<Gate>().unwrap_err().to_string();
            assert!(error.contains("is not a gate: write"), "{error}");
        }
    }
}
