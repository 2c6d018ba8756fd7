//! A12: whatever is sent, sent again and killed in whatever order, the database holds what a simple model holds.

use std::{cell::Cell, collections::BTreeMap};

use e2e::{Deployment, Ledger, deployment::Sender, process::until};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

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
    /// The scores are refreshed.
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    let report = (0..6_usize, 0..8_usize, 0..FACTS.len()).prop_map(|(call, tool, facts)| Report {
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
        2 => Just(Step::Refresh),
    ]
}

/// Outcome, reason, duration and cost, as they stand in an event; and the place in the lattice.
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

/// The rules of docs/ingest.md, in the simplest words.
fn learn(calls: &mut BTreeMap<(usize, usize), Call>, member: usize, report: Report) {
    let (_, _, duration, cost, rank) = FACTS[report.facts];
    let new = (report.tool, report.facts, duration, cost);
    let known = calls.entry((member, report.call)).or_insert(new);
    if known.0 != report.tool {
        return;
    }
    if rank > FACTS[known.1].4 {
        known.1 = report.facts;
    }
    known.2 = known.2.or(duration);
    known.3 = known.3.max(cost);
}

fn written(case: usize, reports: &[Report]) -> String {
    let line = |report: &Report| {
        let (outcome, reason, duration, cost, _) = FACTS[report.facts];
        let mut event = serde_json::json!({
            "uuid": format!("c{case}_{}", report.call),
            "tool_id": TOOLS[report.tool],
            "outcome": outcome,
            "occurred_at": "2026-01-02T03:04:05Z",
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

fn against_the_model(cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (mut deployment, members, beside) = runtime.block_on(async {
        let deployment = Deployment::start().await;
        let members = [deployment.member("ann").await, deployment.member("bob").await];
        let beside = deployment.beside().await;
        (deployment, members, beside)
    });
    let sender = Sender::to(&deployment.front.url());
    let ledger = Ledger::default();
    let (case, kills) = (Cell::new(0), Cell::new(0));
    let deployment = tokio::sync::Mutex::new(&mut deployment);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&proptest::collection::vec(step(), 1..7), |steps| {
        case.set(case.get() + 1);
        let case = case.get();
        let mut calls = BTreeMap::new();
        let mut batches: Vec<(usize, Vec<Report>)> = Vec::new();
        runtime.block_on(async {
            for step in steps {
                let (member, reports, kill) = match step {
                    Step::Insert(member, reports) => (member, reports, false),
                    Step::InsertAmidKill(member, reports) => (member, reports, true),
                    Step::Again(nth) if !batches.is_empty() => {
                        let (member, reports) = batches[nth % batches.len()].clone();
                        (member, reports, false)
                    }
                    Step::Again(_) => continue,
                    Step::Refresh => {
                        refreshed(*deployment.lock().await, &beside).await?;
                        continue;
                    }
                };
                let keys = || {
                    reports
                        .iter()
                        .map(|report| format!("{} c{case}_{}", members[member].id.0, report.call))
                };
                ledger.sent(keys());
                let body = written(case, &reports);
                let delivered = sender.deliver(&members[member].token, &body);
                let receipt = if kill {
                    kills.set(kills.get() + 1);
                    let mut deployment = deployment.lock().await;
                    tokio::join!(delivered, deployment.kill_and_restart()).0
                } else {
                    delivered.await
                };
                prop_assert_eq!(receipt.received, reports.len() as u64);
                ledger.acked(keys());
                for report in &reports {
                    learn(&mut calls, member, *report);
                }
                batches.push((member, reports));
                let stored = beside
                    .ask(&format!(
                        "select member_id, uuid, tool_id, outcome, reason, duration_ms, cost_micro_usd / 1000000 \
                         from usage_events where starts_with(uuid, 'c{case}_') order by member_id, uuid"
                    ))
                    .await;
                let text = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
                let expected: Vec<Vec<String>> = calls
                    .iter()
                    .map(|((member, call), (tool, facts, duration, cost))| {
                        let (outcome, reason, ..) = FACTS[*facts];
                        vec![
                            members[*member].id.0.to_string(),
                            format!("c{case}_{call}"),
                            TOOLS[*tool].to_owned(),
                            outcome.to_owned(),
                            reason.to_owned(),
                            text(*duration),
                            text(*cost),
                        ]
                    })
                    .collect();
                prop_assert_eq!(stored, expected);
            }
            Ok(())
        })
    });
    outcome.unwrap();
    ledger.note("cases", case.get());
    ledger.note("kills", kills.get());
    let deployment = deployment.into_inner();
    let stored = runtime.block_on(deployment.stored());
    ledger.settle("A12", &stored);
    let rebuilt = runtime.block_on(deployment.store.rebuild()).unwrap();
    assert_eq!(rebuilt.differences, 0, "{rebuilt:?}");
}

/// The scores say what the events say, once nothing is pending.
async fn refreshed(deployment: &Deployment, beside: &store::testing::Beside) -> Result<(), TestCaseError> {
    until("the scores are fresh", async || {
        let today = deployment.store.clock().await.unwrap().date_naive();
        !deployment.store.refresh_needed(today).await.unwrap().scores
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
                from usage_events group by tool_id
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
#[ignore = "takes hours"]
fn a12_full_size() {
    against_the_model(10_000);
}
