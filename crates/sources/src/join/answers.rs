//! Calls and their results.

use model::CallResult;

use super::{Joined, Pool, by_time, endings, servers::ServerNames};
use crate::{
    facts::{Answer, Call, Ending, Note},
    problem::ProblemCode,
    strings::Sym,
};

/// How a call ended.
struct Ended {
    verdict: CallResult,
    /// The duration that a record states.
    stated: Option<i64>,
}

impl Pool {
    /// Joins the calls, which are sorted by id, with their results; of several results the earliest.
    pub(super) fn answered(&mut self, calls: Vec<Call>) -> Vec<Joined> {
        let mut answers = self.first_answers().into_iter().peekable();
        let mut notes = self.sorted_notes().into_iter().peekable();
        let endings = self.endings();
        let mut joined = Vec::with_capacity(calls.len());
        let mut servers = ServerNames::default();
        for mut call in calls {
            while answers.next_if(|answer| answer.id < call.id).is_some() {
                self.totals.orphan_results += 1;
            }
            let answer = answers.next_if(|answer| answer.id == call.id);
            let mut ended = Ended::of(&call, answer.as_ref(), endings.get(&call.id));
            while notes.next_if(|note| note.id < call.id).is_some() {}
            while let Some(note) = notes.next_if(|note| note.id == call.id) {
                ended.amend(&note, answer.is_some());
                if let Some((tool, operation)) = note.tool {
                    servers.learn(call.tool, tool, &self.strings);
                    (call.tool, call.operation) = (tool, operation.or(call.operation));
                }
            }
            let Some(at) = call.at.or(answer.and_then(|answer| answer.at)) else {
                let id = self.strings.get(call.id);
                let detail = format!("{id} has no time, and neither has its result; the call was skipped");
                self.problem(ProblemCode::NoTimestamp, detail);
                continue;
            };
            joined.push(Joined {
                call,
                at,
                verdict: ended.verdict,
                duration_ms: ended.duration(&call, answer),
                cost: None,
                run_cost: None,
            });
        }
        self.totals.orphan_results += answers.count() as u64;
        servers.apply(&mut joined);
        joined
    }

    /// The earliest result of each call, by the call's id.
    fn first_answers(&mut self) -> Vec<Answer> {
        let mut answers = std::mem::take(&mut self.answers);
        let rank = |answer: &Answer| (answer.verdict, answer.goes_on, answer.duration_ms);
        answers.sort_by(|a, b| {
            a.id.cmp(&b.id)
                .then_with(|| by_time(a.at, b.at))
                .then_with(|| rank(a).cmp(&rank(b)))
        });
        answers.dedup_by_key(|answer| answer.id);
        answers
    }

    /// The additional facts, by the call's id, those that matter most last.
    fn sorted_notes(&mut self) -> Vec<Note> {
        let mut notes = std::mem::take(&mut self.notes);
        let strings = &self.strings;
        notes.sort_unstable_by_key(|note| {
            let text = |(tool, operation): (Sym, Option<Sym>)| {
                (
                    strings.get(tool),
                    operation.map(|operation| strings.get(operation)),
                )
            };
            (
                note.id,
                note.verdict.is_none(),
                note.verdict,
                note.duration_ms,
                note.tool.map(text),
            )
        });
        notes
    }
}

impl Ended {
    /// By the result, or by the report of the end of work that continued after it.
    fn of(call: &Call, answer: Option<&Answer>, ending: Option<&Ending>) -> Ended {
        match (answer, ending) {
            (None | Some(Answer { goes_on: true, .. }), Some(ending)) => Ended {
                verdict: ending.verdict,
                stated: endings::duration(call, ending),
            },
            (Some(answer), _) => Ended {
                verdict: answer.verdict,
                stated: answer.duration_ms,
            },
            (None, None) => Ended {
                verdict: if call.unreported {
                    CallResult::UNKNOWN
                } else {
                    CallResult::UNANSWERED
                },
                stated: None,
            },
        }
    }

    fn amend(&mut self, note: &Note, is_answered: bool) {
        if let Some(better) = note.verdict
            && is_answered
        {
            self.verdict = better;
        }
        self.stated = note.duration_ms.or(self.stated);
    }

    /// The stated duration, or the time until the result.
    fn duration(&self, call: &Call, answer: Option<Answer>) -> Option<i64> {
        let measured = || {
            let answer = answer.filter(|answer| !answer.goes_on)?;
            let ms = answer.at?.checked_sub(call.at?)?;
            (0..=model::limits::DURATION_MS).contains(&ms).then_some(ms)
        };
        if call.waits_for_person {
            None
        } else {
            self.stated.or_else(measured)
        }
    }
}
