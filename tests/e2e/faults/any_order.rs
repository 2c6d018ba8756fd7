//! A12: whatever is sent, sent again, deleted and killed in whatever order, the database holds what a simple model
//! holds.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use crate::harness::{
    Deployment, Ledger,
    deployment::{Member, Sender},
    process::{DEADLINE, http, until},
    sample,
};
use chrono::TimeDelta;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

/// How many calls each member has.
const CALLS: usize = 6;

/// What one report says of a call.
#[derive(Clone, Copy, Debug)]
struct Report {
    call: usize,
    tool: usize,
    facts: usize,
}

#[derive(Clone, Debug)]
enum Step {
    /// A member sends a batch.
    Insert(usize, Vec<Report>),
    /// An earlier batch is sent again.
    Again(usize),
    /// A member sends a batch, and the server is killed meanwhile.
    InsertAmidKill(usize, Vec<Report>),
    /// A member deletes their data.
    Delete(usize),
    /// A member deletes their data, and the server is killed meanwhile.
    DeleteAmidKill(usize),
    /// The scores are refreshed.
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    let report = (0..CALLS, 0..8_usize, 0..FACTS.len()).prop_map(|(call, tool, facts)| Report {
        call,
        // Mostly the same tool: a call that changes its tool is rare.
        tool: usize::from(tool == 0),
        facts,
    });
    let reports = proptest::collection::vec(report, 1..10);
    prop_oneof![
        8 => (0..2_usize, reports.clone()).prop_map(|(member, reports)| Step::Insert(member, reports)),
        4 => any::<usize>().prop_map(Step::Again),
        1 => (0..2_usize, reports).prop_map(|(member, reports)| Step::InsertAmidKill(member, reports)),
        2 => (0..2_usize).prop_map(Step::Delete),
        1 => (0..2_usize).prop_map(Step::DeleteAmidKill),
        2 => Just(Step::Refresh),
    ]
}

/// Outcome, reason, duration and cost, as an event has them; and the rank of the outcome.
type Facts = (&'static str, &'static str, Option<i64>, Option<i64>, u8);

const FACTS: [Facts; 5] = [
    ("unknown", "", None, None, 0),
    ("abandoned", "unanswered", None, None, 1),
    ("success", "", Some(5), None, 2),
    ("failure", "error", None, Some(3), 2),
    ("success", "", None, Some(7), 2),
];

const TOOLS: [&str; 2] = ["cli:make", "mcp:linear"];

/// A stored call, as the model has it: tool, outcome, reason, duration, cost.
type Call = (usize, usize, Option<i64>, Option<i64>);

/// Calls from this one on are dated ahead of the clock, all of them at one moment. A deletion reaches that far only when
/// it deletes one of them; then none comes back, as none of the calls before, which took place long ago.
const FIRST_AHEAD: usize = 3;

/// The rules of docs/ingest.md and docs/security.md, in the simplest words.
#[derive(Default)]
struct Model {
    /// By member and call.
    calls: BTreeMap<(usize, usize), Call>,
    /// The members who have deleted their data.
    deleted: [bool; 2],
    /// Those of whom that deleted a call that is dated ahead.
    deleted_ahead: [bool; 2],
}

impl Model {
    fn refuses(&self, member: usize, report: Report) -> bool {
        if report.call < FIRST_AHEAD {
            self.deleted[member]
        } else {
            self.deleted_ahead[member]
        }
    }

    fn learn(&mut self, member: usize, report: Report) {
        if self.refuses(member, report) {
            return;
        }
        let (_, _, duration, cost, rank) = FACTS[report.facts];
        let new = (report.tool, report.facts, duration, cost);
        let known = self.calls.entry((member, report.call)).or_insert(new);
        if known.0 != report.tool {
            return;
        }
        if rank > FACTS[known.1].4 {
            known.1 = report.facts;
        }
        known.2 = known.2.or(duration);
        known.3 = known.3.max(cost);
    }

    fn delete(&mut self, member: usize) {
        self.deleted[member] = true;
        self.deleted_ahead[member] |= self
            .calls
            .keys()
            .any(|(owner, call)| *owner == member && *call >= FIRST_AHEAD);
        self.calls.retain(|(owner, _), _| *owner != member);
    }

    /// The rows, sorted by member and uuid.
    fn rows(&self, members: &[Member; 2]) -> Vec<Vec<String>> {
        let text = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
        let row = |((member, call), (tool, facts, duration, cost)): (&(usize, usize), &Call)| {
            let (outcome, reason, ..) = FACTS[*facts];
            vec![
                members[*member].id.0.to_string(),
                format!("c{call}"),
                TOOLS[*tool].to_owned(),
                outcome.to_owned(),
                reason.to_owned(),
                text(*duration),
                text(*cost),
            ]
        };
        self.calls.iter().map(row).collect()
    }
}

fn written(reports: &[Report], ahead: &str) -> String {
    let line = |report: &Report| {
        let (outcome, reason, duration, cost, _) = FACTS[report.facts];
        let occurred_at = if report.call < FIRST_AHEAD {
            "2026-01-02T03:04:05Z"
        } else {
            ahead
        };
        let mut event = serde_json::json!({
            "uuid": format!("c{}", report.call),
            "tool_id": TOOLS[report.tool],
            "outcome": outcome,
            "occurred_at": occurred_at,
            "duration_ms": duration,
            "cost_usd": cost,
        });
        if !reason.is_empty() {
            event["reason"] = reason.into();
        }
        format!("{event}\n")
    };
    reports.iter().map(line).collect()
}

/// One run of steps, by two members who are new.
struct Run<'a> {
    deployment: &'a mut Deployment,
    beside: &'a testing::Beside,
    sender: &'a Sender,
    ledger: &'a Ledger,
    kills: &'a Cell<u64>,
    handles: [String; 2],
    members: [Member; 2],
    model: Model,
    batches: Vec<(usize, Vec<Report>)>,
    /// A time that a deletion does not reach by itself.
    ahead: String,
}

impl Run<'_> {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Insert(member, reports) => self.insert(member, reports, false).await,
            Step::InsertAmidKill(member, reports) => self.insert(member, reports, true).await,
            Step::Again(_) if self.batches.is_empty() => Ok(()),
            Step::Again(nth) => {
                let (member, reports) = self.batches[nth % self.batches.len()].clone();
                self.insert(member, reports, false).await
            }
            Step::Delete(member) => self.delete(member, false).await,
            Step::DeleteAmidKill(member) => self.delete(member, true).await,
            Step::Refresh => refreshed(self.beside).await,
        }
    }

    async fn insert(&mut self, member: usize, reports: Vec<Report>, kill: bool) -> Result<(), TestCaseError> {
        let taken = reports
            .iter()
            .filter(|report| !self.model.refuses(member, **report));
        let keys: Vec<String> = taken.map(|report| self.key(member, report.call)).collect();
        self.ledger.sent(&keys);
        let body = written(&reports, &self.ahead);
        let delivered = self.sender.deliver(&self.members[member].token, &body);
        let receipt = if kill {
            self.kills.set(self.kills.get() + 1);
            tokio::join!(delivered, self.deployment.kill_and_restart()).0
        } else {
            delivered.await
        };
        prop_assert_eq!(receipt.received, reports.len() as u64);
        prop_assert_eq!(receipt.rejected, (reports.len() - keys.len()) as u64);
        self.ledger.acked(&keys);
        for report in &reports {
            self.model.learn(member, *report);
        }
        self.batches.push((member, reports));
        self.compare().await
    }

    async fn delete(&mut self, member: usize, kill: bool) -> Result<(), TestCaseError> {
        let handle = &self.handles[member];
        let url = format!("{}/v1/me/data?confirm={handle}", self.deployment.front.url());
        let token = &self.members[member].token;
        let deleted = async {
            let (http, started) = (http(), std::time::Instant::now());
            loop {
                let answer = http.delete(&url).bearer_auth(token).send().await;
                if answer.is_ok_and(|answer| answer.status() == 200) {
                    return;
                }
                assert!(started.elapsed() < DEADLINE, "{handle} cannot delete their data");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if kill {
            self.kills.set(self.kills.get() + 1);
            tokio::join!(deleted, self.deployment.kill_and_restart());
        } else {
            deleted.await;
        }
        self.model.delete(member);
        self.ledger.deleted((0..CALLS).map(|call| self.key(member, call)));
        self.compare().await
    }

    fn key(&self, member: usize, call: usize) -> String {
        format!("{} c{call}", self.members[member].id.0)
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let [ann, bob] = &self.members;
        let stored = self
            .beside
            .ask(&format!(
                "select member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd / 1000000 \
                 from usage_events where member_id in ({}, {}) order by member_id, uuid",
                ann.id.0, bob.id.0
            ))
            .await;
        prop_assert_eq!(stored, self.model.rows(&self.members));
        Ok(())
    }
}

fn against_the_model(cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (mut deployment, beside) = runtime.block_on(async {
        let deployment = Deployment::start().await;
        let beside = deployment.beside().await;
        (deployment, beside)
    });
    let sender = Sender::to(&deployment.front.url());
    let (ledger, case, kills) = (Ledger::default(), Cell::new(0), Cell::new(0));
    let shared = std::cell::RefCell::new(&mut deployment);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&proptest::collection::vec(step(), 1..7), |steps| {
        case.set(case.get() + 1);
        let handles = ["ann", "bob"].map(|name| format!("{name}{}", case.get()));
        let deployment = &mut **shared.borrow_mut();
        runtime.block_on(async {
            let members = [
                deployment.member(&handles[0]).await,
                deployment.member(&handles[1]).await,
            ];
            let mut run = Run {
                deployment,
                beside: &beside,
                sender: &sender,
                ledger: &ledger,
                kills: &kills,
                handles,
                members,
                model: Model::default(),
                batches: Vec::new(),
                ahead: sample::text(sample::now() + TimeDelta::hours(12))
                    .as_str()
                    .unwrap()
                    .to_owned(),
            };
            for step in steps {
                run.step(step).await?;
            }
            Ok(())
        })
    });
    outcome.unwrap();
    ledger.note("cases", case.get());
    ledger.note("kills", kills.get());
    let stored = runtime.block_on(deployment.stored());
    ledger.settle("A12", &stored);
    let rebuilt = runtime.block_on(deployment.store.rebuild()).unwrap();
    assert_eq!(rebuilt.differences, 0, "{rebuilt:?}");
}

/// The scores say what the events say, once nothing is pending.
async fn refreshed(beside: &testing::Beside) -> Result<(), TestCaseError> {
    until("the scores are fresh", async || {
        let stale = beside
            .number(
                "select count(*) from (
                    select from pending_changes
                    union all
                    select from score_refresh boards, score_refresh scores
                    where boards.view_name = 'board_scores' and scores.view_name = 'tool_scores'
                        and greatest(boards.started_at, (select max(as_of) from board_state))
                            > coalesce(scores.started_at, '-infinity')
                ) stale",
            )
            .await;
        stale == 0
    })
    .await;
    let differences = beside
        .number(
            "select count(*) from (
                select tool_id, events, successes, failures, abandoned, unknown from tool_scores
                except
                select tool_id, count(*), count(*) filter (where outcome = 'success'),
                    count(*) filter (where outcome = 'failure'), count(*) filter (where outcome = 'abandoned'),
                    count(*) filter (where outcome = 'unknown')
                from usage_events where not already_counted group by tool_id
            ) as different",
        )
        .await;
    prop_assert_eq!(differences, 0);
    Ok(())
}

#[test]
fn a12_whatever_the_order_the_database_holds_what_the_model_holds() {
    against_the_model(24);
}

#[test]
#[ignore = "takes minutes"]
fn a12_full_size() {
    against_the_model(1_000);
}
