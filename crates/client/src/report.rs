//! The report of an upload: the numbers that `upload --json` prints.

use std::{collections::BTreeMap, path::Path};

use model::{Event, EventNotice, Receipt, api, inventory::InventoryReceipt, limits, usage::UsageReceipt};
use serde::Serialize;
use sources::{Excluded, TokenTotals, Totals, UnpricedModel};

/// Something that was skipped or not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file; empty when the problem is not about one file.
    pub file: String,
    /// The line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The kind of problem, for programs.
    pub code: String,
    /// A description for people.
    pub detail: String,
}

impl Problem {
    /// A problem of a file as a whole.
    pub(crate) fn of_file(path: &Path, code: &str, detail: &str) -> Problem {
        Problem {
            file: path.display().to_string(),
            line: None,
            code: code.to_owned(),
            detail: detail.to_owned(),
        }
    }
}

/// An event that is too large for the server even alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its uuid.
    pub uuid: Option<String>,
    /// Its size on the wire in bytes.
    pub bytes: usize,
    /// The reason.
    pub detail: String,
}

/// The result of an upload. `inserted + upgraded + duplicate + conflict + rejected = received`, always; `received` and
/// `rejected` count the quarantined events too.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Events that the server has answered for.
    pub received: u64,
    /// New events.
    pub inserted: u64,
    /// Known events that the logs had more facts about.
    pub upgraded: u64,
    /// Known events.
    pub duplicate: u64,
    /// Events whose uuid is stored with another tool.
    pub conflict: u64,
    /// Events that could not be stored.
    pub rejected: u64,
    /// Of the new events, those that another member of the org had uploaded before: the org counts them once.
    pub already_counted: u64,
    /// Events that an earlier run, which did not complete, has sent.
    pub resumed: u64,
    /// Events that earlier uploads have sent, and that an upload of what is new leaves out.
    pub already_sent: u64,
    /// Requests that were acknowledged (planned ones in a dry run).
    pub batches: u64,
    /// True when every receipt says that its events are on disk.
    pub durable: bool,
    /// True when nothing is sent.
    pub dry_run: bool,
    /// Logs read.
    pub files: u64,
    /// Their lines.
    pub lines: u64,
    /// Incomplete last lines: the next upload reads them.
    pub unfinished_lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Logs by the agent that wrote them.
    pub agents: BTreeMap<&'static str, u64>,
    /// Events found in them.
    pub events: u64,
    /// Events by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Events by reason, of those that have one.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Events by the kind of their tool.
    pub kinds: BTreeMap<&'static str, u64>,
    /// What all API responses in the logs cost, in USD: more than the events, as many responses call no tool. Null where
    /// none of them has a price.
    pub cost_usd: Option<f64>,
    /// What was left out because the project rules exclude it.
    pub excluded: Excluded,
    /// Tokens of all API responses in the logs, each counted once.
    pub tokens: TokenTotals,
    /// Models without a price, by name: a price that is set later fills their costs in with the next upload.
    pub unpriced: Vec<UnpricedModel>,
    /// Results whose call is in none of the logs.
    pub orphan_results: u64,
    /// Records that produce no event, by type.
    pub ignored: BTreeMap<String, u64>,
    /// Problems by code; all are counted.
    pub problems_by_code: BTreeMap<String, u64>,
    /// The problems; a file lists a limited number.
    pub problems: Vec<Problem>,
    /// Events that the server rejected: the first 100.
    pub rejections: Vec<EventNotice>,
    /// Events that the server stored after changing something in them: the first 100.
    pub warnings: Vec<EventNotice>,
    /// Events that were too large even alone.
    pub quarantined: Vec<Quarantined>,
    /// Warnings, such as prices that could not be read from the server.
    pub notes: Vec<String>,
    /// The receipt of the inventory; absent when none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventoryReceipt>,
    /// The receipt of what the responses used, those that call no tool included; absent when it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageReceipt>,
    /// The calls of these logs as the server has them, and the gates; absent when neither was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<api::Run>,
}

impl Report {
    /// Counts an event of the logs.
    pub(crate) fn count(&mut self, event: &Event) {
        self.events += 1;
        *self.outcomes.entry(event.result.outcome().as_str()).or_default() += 1;
        if let Some(reason) = event.result.reason() {
            *self.reasons.entry(reason.as_str()).or_default() += 1;
        }
        *self.kinds.entry(event.tool.kind().as_str()).or_default() += 1;
    }

    /// Adds the totals and problems of the logs.
    pub(crate) fn add_logs(&mut self, totals: Totals, problems: Vec<sources::Problem>) {
        self.files = totals.files;
        self.lines = totals.lines;
        self.unfinished_lines = totals.unfinished_lines;
        self.bytes = totals.bytes;
        self.agents = totals.agents;
        self.cost_usd = totals.cost_usd;
        self.tokens = totals.tokens;
        self.unpriced = totals.unpriced;
        self.orphan_results = totals.orphan_results;
        self.ignored = totals.ignored;
        for (code, count) in totals.problems {
            *self.problems_by_code.entry(code.as_str().to_owned()).or_default() += count;
        }
        self.problems.extend(problems.into_iter().map(|problem| Problem {
            file: problem.file,
            line: problem.line,
            code: problem.code.as_str().to_owned(),
            detail: problem.detail,
        }));
    }

    /// Adds a receipt.
    pub(crate) fn add(&mut self, receipt: Receipt) {
        self.durable = receipt.durable && (self.durable || self.batches == 0);
        self.batches += 1;
        self.received += receipt.received;
        self.inserted += receipt.inserted;
        self.upgraded += receipt.upgraded;
        self.duplicate += receipt.duplicate;
        self.conflict += receipt.conflict;
        self.rejected += receipt.rejected;
        self.already_counted += receipt.already_counted;
        for (list, more) in [
            (&mut self.rejections, receipt.rejections),
            (&mut self.warnings, receipt.warnings),
        ] {
            let room = limits::LISTED_REJECTIONS.saturating_sub(list.len());
            list.extend(more.into_iter().take(room));
        }
    }

    /// Adds an event that was too large even alone.
    pub(crate) fn quarantine(&mut self, event: Quarantined) {
        self.received += 1;
        self.rejected += 1;
        self.quarantined.push(event);
    }

    /// Adds a problem.
    pub(crate) fn problem(&mut self, problem: Problem) {
        *self.problems_by_code.entry(problem.code.clone()).or_default() += 1;
        self.problems.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_and_quarantined_events_add_up() {
        let mut report = Report::default();
        report.add(Receipt {
            received: 3,
            inserted: 2,
            duplicate: 1,
            ..Receipt::new("a".into(), true)
        });
        report.add(Receipt {
            received: 2,
            upgraded: 1,
            conflict: 1,
            ..Receipt::new("b".into(), false)
        });
        report.quarantine(Quarantined {
            uuid: None,
            bytes: 9,
            detail: "too large".into(),
        });
        let sum = report.inserted + report.upgraded + report.duplicate + report.conflict + report.rejected;
        assert_eq!((sum, report.received, report.batches), (6, 6, 2));
        assert!(!report.durable);
    }
}
