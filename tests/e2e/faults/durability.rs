//! A: what was acknowledged is stored, exactly once.

use std::{sync::Arc, time::Duration};

use crate::harness::{
    Deployment, Hub, Laptop, Ledger, NetworkFault, Uploader,
    process::until,
    sample::{event, with},
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};

/// A1: the server is killed again and again under eight uploaders.
async fn server_killed_under_uploaders(kills: i64, events: usize) {
    let mut deployment = Deployment::start().await;
    let ledger = Ledger::default();
    let (mut laptops, mut uploaders) = (Vec::new(), JoinSet::new());
    // One reference more than uploaders that have not ended.
    let going = Arc::new(());
    for n in 0..8 {
        let member = deployment.member(&format!("m{n}")).await;
        let laptop = Laptop::with_calls(&format!("l{n}"), 0..events / 8);
        let uploader = laptop.upload(
            &deployment.front.url(),
            &member,
            &["--batch-events", "500", "--retry-for", "4m"],
        );
        let going = Arc::clone(&going);
        uploaders.spawn(async move {
            let end = uploader.end().await;
            drop(going);
            (n, end)
        });
        ledger.sent(laptop.keys(&member));
        laptops.push((laptop, member));
    }
    let (mut recoveries, mut amid) = (Vec::new(), 0);
    let (total, beside) = (i64::try_from(events / 8 * 8).unwrap(), deployment.beside().await);
    for kill in 1..=kills {
        // Each after some progress, so that none comes too late; and while a client waits for an answer.
        let progress = total * (kill - 1) / (kills + 1);
        until("an upload is in flight", async || {
            let stored = "select coalesce(sum(inserted), 0)::bigint from uploads";
            let amid = deployment.front.in_flight() > 0 && beside.number(stored).await >= progress;
            amid || Arc::strong_count(&going) == 1
        })
        .await;
        amid += i64::from(deployment.front.in_flight() > 0);
        recoveries.push(deployment.kill_and_restart().await);
    }
    while let Some(ended) = uploaders.join_next().await {
        let (n, (code, report)) = ended.unwrap();
        assert_eq!(code, 0, "uploader {n}: {report}");
        let (laptop, member) = &laptops[n];
        assert_eq!(report["received"], laptop.calls().len(), "{report}");
        ledger.acked(laptop.keys(member));
    }
    ledger.note("kills", kills);
    ledger.note("amid_uploads", amid);
    let recovery = ledger.times("recovery", recoveries);
    ledger.settle("A1", &deployment.stored().await);
    assert_eq!(deployment.rows().await, total.unsigned_abs());
    // Three seconds are promised; a busy machine gets more.
    assert!(recovery < Duration::from_secs(15), "{recovery:?}");
    assert!(
        amid * 10 >= kills * 3,
        "only {amid} of {kills} kills came amid uploads"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a1_killing_the_server_under_uploaders_loses_nothing() {
    server_killed_under_uploaders(10, 100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a1_full_size() {
    server_killed_under_uploaders(50, 1_000_000).await;
}

/// A4: the uploader is killed again and again, half of the time before its request has arrived, half of the time
/// before the answer has.
async fn uploader_killed(kills: u64, events: usize) {
    const BATCH: u64 = 50;
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let laptop = Laptop::with_calls("a4", 0..events);
    let ledger = Ledger::default();
    ledger.sent(laptop.keys(&member));
    let arguments = ["--batch-events", "50", "--in-flight", "1"];
    let start = || -> Uploader { laptop.upload(&deployment.front.url(), &member, &arguments) };
    let front = &deployment.front;
    for kill in 0..kills {
        front.set(NetworkFault::None);
        let before = front.uploads();
        let mut uploader = start();
        let progress = before + 1 + kill % 3;
        until("the uploader goes on", async || {
            front.uploads() > progress || uploader.has_ended()
        })
        .await;
        assert!(
            !uploader.has_ended(),
            "kill {kill} comes too late: more events are needed"
        );
        if kill % 2 == 0 {
            let lost = front.dropped();
            front.set(NetworkFault::DropUploads);
            until("a request is lost", async || front.dropped() > lost).await;
        } else {
            front.set(NetworkFault::DropAnswers);
            let before = front.uploads();
            // The next request's answer is lost, or the one that it is waiting for.
            let _ = tokio::time::timeout(Duration::from_millis(200), async {
                until("a request", async || front.uploads() > before).await;
            })
            .await;
        }
        uploader.kill().await;
    }
    front.set(NetworkFault::None);
    let (code, report) = start().end().await;
    assert_eq!(code, 0, "{report}");
    ledger.acked(laptop.keys(&member));
    let again = deployment
        .beside()
        .await
        .number("select coalesce(sum(duplicate), 0)::bigint from uploads")
        .await;
    ledger.note("kills", kills);
    ledger.note("sent_again", again);
    ledger.settle("A4", &deployment.stored().await);
    assert_eq!(deployment.rows().await, events as u64);
    assert!(
        again.unsigned_abs() <= kills * BATCH,
        "more than one batch per kill was sent again"
    );
    assert!(report["resumed"].as_u64() > Some(0), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a4_killing_the_uploader_loses_nothing_and_repeats_one_batch_at_most() {
    uploader_killed(12, 4_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a4_full_size() {
    uploader_killed(200, 30_000).await;
}

/// A5: the answer to every tenth upload is lost after the commit.
async fn answers_lost(events: usize, retry_for: &str) {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let laptop = Laptop::with_calls("a5", 0..events);
    let ledger = Ledger::default();
    ledger.sent(laptop.keys(&member));
    deployment.front.set(NetworkFault::DropEveryNthAnswer(10));
    let arguments = ["--batch-events", "500", "--retry-for", retry_for];
    let (code, report) = laptop
        .upload(&deployment.front.url(), &member, &arguments)
        .end()
        .await;
    assert_eq!(code, 0, "{report}\n{}", deployment.server.log());
    ledger.acked(laptop.keys(&member));
    let swallowed = deployment.front.dropped();
    ledger.note("answers_lost", swallowed);
    ledger.settle("A5", &deployment.stored().await);
    let duplicate = deployment
        .beside()
        .await
        .number("select coalesce(sum(duplicate), 0)::bigint from uploads")
        .await;
    assert!(swallowed >= (events / 500 / 10) as u64, "{swallowed}");
    assert_eq!(deployment.rows().await, events as u64);
    assert_eq!(duplicate.unsigned_abs(), swallowed * 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a5_a_lost_answer_repeats_its_batch_and_nothing_else() {
    // A server that takes no event twice needs a second or two; one that fails to recognise it is waited for to the end.
    answers_lost(20_000, "30s").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a5_full_size() {
    answers_lost(100_000, "4m").await;
}

/// A7: everything is uploaded a second time.
async fn uploaded_again(events: usize) {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let laptop = Laptop::with_calls("a7", 0..events);
    let ledger = Ledger::default();
    ledger.sent(laptop.keys(&member));
    let mut scores: Vec<Vec<Vec<String>>> = Vec::new();
    for (inserted, duplicate) in [(events, 0), (0, events)] {
        let started = Instant::now();
        let (code, report) = laptop
            .upload(&deployment.front.url(), &member, &["--wait"])
            .end()
            .await;
        ledger.note("took", format_args!("{:.1?}", started.elapsed()));
        assert_eq!(code, 0, "{report}");
        assert_eq!(
            (&report["inserted"], &report["duplicate"]),
            (&json!(inserted), &json!(duplicate))
        );
        let beside = deployment.beside().await;
        scores.push(
            beside
                .ask("select * from tool_scores order by org_id, tool_id")
                .await,
        );
    }
    ledger.acked(laptop.keys(&member));
    ledger.settle("A7", &deployment.stored().await);
    assert!(!scores[0].is_empty());
    assert_eq!(scores[0], scores[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a7_uploading_everything_again_changes_nothing() {
    uploaded_again(10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a7_full_size() {
    uploaded_again(1_000_000).await;
}

#[tokio::test]
async fn a8_one_key_is_one_call_of_one_member_and_its_story_only_grows() {
    let hub = Hub::start().await;
    let (acme, other) = (hub.org("acme").await, hub.org("other").await);
    let callers = [
        hub.member(&acme, "ann").await,
        hub.member(&acme, "bob").await,
        hub.member(&other, "ann").await,
    ];
    let ledger = Ledger::default();
    // Three people, three calls; and twice in one batch is once.
    for caller in &callers {
        let call = event("call_1", "cli:make");
        ledger.sent([format!("{} call_1", caller.member.0)]);
        let receipt = caller.upload(&[call.clone(), call]).await;
        assert_eq!((receipt.inserted, receipt.duplicate), (1, 1));
        ledger.acked([format!("{} call_1", caller.member.0)]);
    }
    let ann = &callers[0];
    // Another tool under the same key: the first stays, each is reported.
    let receipt = ann.upload(&[event("call_1", "cli:cargo")]).await;
    assert_eq!((receipt.conflict, receipt.inserted), (1, 0));
    // Pending, answered, and pending again.
    let pending = with(
        event("call_2", "cli:make"),
        &json!({ "outcome": "abandoned", "reason": "unanswered" }),
    );
    let answered = with(event("call_2", "cli:make"), &json!({ "duration_ms": 7 }));
    ledger.sent([format!("{} call_2", ann.member.0)]);
    let ingest = async |event: &Value| {
        let receipt = ann.upload(std::slice::from_ref(event)).await;
        [receipt.inserted, receipt.upgraded, receipt.duplicate]
    };
    assert_eq!(ingest(&pending).await, [1, 0, 0]);
    assert_eq!(ingest(&answered).await, [0, 1, 0]);
    assert_eq!(ingest(&pending).await, [0, 0, 1]);
    ledger.acked([format!("{} call_2", ann.member.0)]);
    let events: model::api::Events = ann.get("/v1/events?member=ann").await.ok();
    let of = |uuid: &str| {
        let event = events.events.iter().find(|event| event.uuid == uuid).unwrap();
        serde_json::to_value(event).unwrap()
    };
    assert_eq!(of("call_1")["tool_id"], "cli:make");
    assert_eq!(
        (&of("call_2")["outcome"], &of("call_2")["duration_ms"]),
        (&json!("success"), &json!(7))
    );
    let rows = hub.beside().await;
    let stored = rows
        .ask("select member_id || ' ' || uuid from usage_events")
        .await;
    ledger.settle("A8", &stored.into_iter().flatten().collect::<Vec<_>>());
}
