//! Merging all reports of one call, and counting the result of each report.

use std::{borrow::Cow, collections::HashMap};

use model::{Event, IngestResult, MemberId, NoticeCode, event::Source};
use uuid::Uuid;

use super::{
    arrivals::Arrivals,
    batch::{Batch, BatchResult},
};
use crate::policy::Policy;

/// The state of a call in the database, compared with what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It was not stored, and is now.
    New,
    /// It is stored with all that was sent.
    Known,
    /// It is stored with less than what was sent: it is upgraded.
    Outdated,
    /// It is stored as a call of another tool.
    Conflict,
}

/// All reports of one call of one tool within the transaction, folded into one event.
pub(super) struct Group<'a> {
    pub(super) member: MemberId,
    pub(super) uuid: Cow<'a, str>,
    pub(super) event: Cow<'a, Event>,
    pub(super) source: Source,
    pub(super) upload_id: Uuid,
    /// Another member of the org has uploaded the same call before.
    pub(super) already_counted: bool,
    /// `None` until it is known.
    pub(super) state: Option<State>,
    /// The batch of the first report.
    batch: usize,
    /// The batches of further reports, in the order of arrival, and what each added to those before it.
    /// Nearly always empty.
    further: Vec<(usize, IngestResult)>,
}

impl Group<'_> {
    /// True when both are reports of the same call. Of two groups that are, the tools differ.
    pub(super) fn same_call(&self, other: &Group<'_>) -> bool {
        self.member == other.member && self.uuid == other.uuid
    }
}

/// Folds the batches into groups, sorted by the key. A key that was sent with several tools gives several groups, the
/// one that arrived first in front. Events that a policy or a limit refuses are left out, with a notice.
pub(super) fn fold<'a>(
    batches: &'a [Batch],
    policies: &HashMap<MemberId, Policy>,
    arrivals: &Arrivals<'_>,
) -> (Vec<Group<'a>>, Vec<BatchResult>) {
    let mut results = vec![BatchResult::default(); batches.len()];
    let mut reports: Vec<Group<'_>> =
        Vec::with_capacity(batches.iter().map(|batch| batch.events.len()).sum());
    for (index, batch) in batches.iter().enumerate() {
        let policy = policies.get(&batch.member).copied().unwrap_or_default();
        for (position, event) in batch.events.iter().enumerate() {
            if let Some(code) = policy.refuses(event).or_else(|| arrivals.refuses(event)) {
                results[index].refuse(position, event, code);
                continue;
            }
            if policy.drops_task_text(event) {
                results[index].warn(position, event, NoticeCode::TaskTextNotStored);
            }
            reports.push(Group {
                member: batch.member,
                uuid: match &event.uuid {
                    Some(uuid) => Cow::Borrowed(uuid.as_str()),
                    None => Cow::Owned(Uuid::new_v4().to_string()),
                },
                event: policy.apply(event),
                source: batch.source,
                upload_id: batch.upload_id,
                already_counted: false,
                state: None,
                batch: index,
                further: Vec::new(),
            });
        }
    }
    // Stable, so that reports of one call stay in the order of arrival.
    reports.sort_by(|a, b| a.member.cmp(&b.member).then_with(|| a.uuid.cmp(&b.uuid)));
    let mut groups: Vec<Group<'_>> = Vec::with_capacity(reports.len());
    for report in reports {
        let known = groups
            .iter_mut()
            .rev()
            .take_while(|group| group.same_call(&report))
            .find(|group| group.event.tool == report.event.tool);
        match known {
            None => groups.push(report),
            Some(group) => {
                // Merging needs a copy; it is kept only when the later report has more facts.
                let mut event = group.event.clone();
                let merge = event.to_mut().merge(&report.event);
                if merge == IngestResult::Upgraded {
                    group.event = event;
                }
                group.further.push((report.batch, merge));
            }
        }
    }
    (groups, results)
}

/// Counts the result of each report, once the state of each group is known. Counts as if the reports had come one after
/// the other: one of them brought the new facts, the rest did not.
pub(super) fn count(results: &mut [BatchResult], groups: &[Group<'_>]) {
    for group in groups {
        // Of the reports of an outdated call, the one that counts as the upgrade.
        let upgrade = match group.state {
            Some(State::Outdated) => group
                .further
                .iter()
                .rposition(|(_, merge)| *merge == IngestResult::Upgraded),
            _ => None,
        };
        let first = match group.state {
            Some(State::New) => IngestResult::Inserted,
            Some(State::Outdated) if upgrade.is_none() => IngestResult::Upgraded,
            Some(State::Conflict) => IngestResult::Conflict,
            _ => IngestResult::Duplicate,
        };
        results[group.batch].counts.add(first);
        if group.state == Some(State::New) && group.already_counted {
            results[group.batch].counts.already_counted += 1;
        }
        for (at, (batch, merge)) in group.further.iter().enumerate() {
            let result = match group.state {
                Some(State::Conflict) => IngestResult::Conflict,
                Some(State::New) if *merge == IngestResult::Upgraded => IngestResult::Upgraded,
                Some(State::Outdated) if upgrade == Some(at) => IngestResult::Upgraded,
                _ => IngestResult::Duplicate,
            };
            results[*batch].counts.add(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Counts;
    use super::*;
    use chrono::DateTime;
    use model::{CallResult, ToolId};

    fn event(uuid: Option<&str>, tool: &str, result: CallResult) -> Event {
        Event {
            uuid: uuid.map(str::to_owned),
            ..Event::new(ToolId::parse(tool).unwrap(), result, DateTime::UNIX_EPOCH)
        }
    }

    fn batch(member: i64, events: Vec<Event>) -> Batch {
        Batch {
            member: MemberId(member),
            upload_id: Uuid::nil(),
            source: Source::Api,
            client: None,
            ci: None,
            hash: String::new(),
            rejected: 0,
            events,
            unnamed: Vec::new(),
            unkeyed: 0,
        }
    }

    #[test]
    fn reports_of_one_call_are_folded_and_each_is_accounted_once() {
        let batches = [
            batch(
                1,
                vec![
                    event(Some("b"), "mcp:x", CallResult::UNANSWERED),
                    event(None, "mcp:x", CallResult::SUCCESS),
                ],
            ),
            batch(
                1,
                vec![
                    event(Some("b"), "mcp:x", CallResult::SUCCESS),
                    event(Some("b"), "mcp:y", CallResult::SUCCESS),
                ],
            ),
            batch(2, vec![event(Some("b"), "mcp:x", CallResult::SUCCESS)]),
        ];
        let (mut groups, mut results) = fold(&batches, &HashMap::new(), &Arrivals::default());
        assert_eq!(
            groups.len(),
            4,
            "one per member, uuid and tool, and one without uuid"
        );
        assert!(groups.is_sorted_by_key(|group| (group.member, group.uuid.clone())));
        for group in &mut groups {
            group.state = Some(if group.event.tool.as_str() == "mcp:y" {
                State::Conflict
            } else {
                State::New
            });
        }
        count(&mut results, &groups);
        let counts: Vec<Counts> = results.iter().map(|result| result.counts).collect();
        assert_eq!(
            counts[0],
            Counts {
                inserted: 2,
                ..Counts::default()
            }
        );
        assert_eq!(
            counts[1],
            Counts {
                upgraded: 1,
                conflict: 1,
                ..Counts::default()
            }
        );
        assert_eq!(
            counts[2],
            Counts {
                inserted: 1,
                ..Counts::default()
            }
        );
    }
}
