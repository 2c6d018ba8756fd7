//! The results of calls, and the verdicts on them.

use model::CallResult;

use super::{
    Envelope, Reader,
    record::{Message, OwnFigures, Refusal},
    response::run_of,
    tool_result::ToolResult,
    verdict::{self, Classified},
    whole_ms,
};
use crate::{
    facts::{Answer, FileFacts, Launch, Run, Searches},
    json::Str,
    problem::ProblemCode,
    strings::Sym,
};

impl Reader {
    pub(super) fn results(&mut self, message: &Message<'_>, envelope: Envelope<'_>, facts: &mut FileFacts) {
        // The record has one `toolUseResult`: with several results it is not known which one it describes.
        let (own, refusal) = if message.results.len() == 1 {
            (envelope.own, envelope.refusal)
        } else {
            (OwnFigures::default(), Refusal::default())
        };
        for result in &message.results {
            let raw = result.id.map_or(&b""[..], |id| id.0);
            let launched = own.goes_on || !own.stated && result.is_launch();
            let Classified { verdict, known } = verdict_of(result, own, refusal);
            let id = if self.positions.is_position(raw) {
                let place = (envelope.context.session, envelope.at);
                self.positions.of_result(Str(raw), envelope.record, place, facts)
            } else {
                match facts.call_id(result.id) {
                    Some(id) => id,
                    None => continue,
                }
            };
            facts.answers.push(Answer {
                id,
                at: envelope.at,
                // A start does not show how the work ends.
                verdict: if launched && !result.is_error {
                    CallResult::UNKNOWN
                } else {
                    verdict
                },
                duration_ms: whole_ms(own.duration_ms).filter(|_| !launched),
                goes_on: launched,
            });
            if own.searches > 0 {
                let count = own.searches;
                facts.searches.push(Searches { id, count });
            }
            if let Some(run) = own.run {
                let run = run_of(run, envelope.context, facts);
                facts.runs.extend(run.map(|run| Run { call: id, run }));
            }
            if launched && let Some(task) = facts.name(own.task.or_else(|| result.launched_task())) {
                let session = envelope.context.session;
                facts.launches.push(Launch {
                    call: id,
                    session,
                    at: envelope.at,
                    task,
                });
            }
            if !known {
                unclassified(id, facts);
            }
        }
        if let Some(ended) = own.asked.ended() {
            self.ended(envelope.record, &ended, envelope.at, facts);
        }
    }
}

fn verdict_of(result: &ToolResult<'_>, own: OwnFigures<'_>, refusal: Refusal) -> Classified {
    let flags = refusal.with(verdict::ResultFlags {
        is_error: result.is_error,
        ..own.flags
    });
    // The text decides only about errors; most results are none, and their text is long.
    if flags.is_error || result.may_begin_with_heading() {
        verdict::classify(flags, &result.text())
    } else {
        verdict::classify(flags, "")
    }
}

/// Counts an error with an unknown message. The answers of an MCP server are not Claude Code's messages.
fn unclassified(id: Sym, facts: &mut FileFacts) {
    const NEAR: usize = 256;
    let call = facts.calls.iter().rev().take(NEAR).find(|call| call.id == id);
    let tool = call.map_or("", |call| facts.strings.get(call.tool));
    if tool.starts_with("mcp:") {
        return;
    }
    let of = if tool.is_empty() {
        String::new()
    } else {
        format!(" of {tool}")
    };
    let detail =
        format!("a call{of} ended with an error in words that are not known; it counts as a failure");
    facts.problem(ProblemCode::UnclassifiedError, detail);
}
