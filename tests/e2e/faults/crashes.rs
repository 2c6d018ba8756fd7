//! A3 and D4: PostgreSQL is killed or restarted under load, again and again, and the server stays up.

use std::time::Duration;

use crate::harness::{
    Deployment, Ledger, OwnPostgres,
    deployment::Sender,
    process::{Server, http},
};
use testing::Beside;

use super::{ids, lines, load::Load};

async fn stored(postgres: &OwnPostgres) -> Vec<String> {
    let rows = Beside::of(postgres.url())
        .await
        .ask("select member_id || ' ' || uuid from usage_events")
        .await;
    rows.into_iter().flatten().collect()
}

async fn database_goes_away(case: &str, times: usize, kill: bool) {
    let mut postgres = OwnPostgres::start().await;
    let mut deployment = Deployment::on(postgres.url(), &[]).await;
    let load = Load::on(&deployment).await;
    let mut recoveries = Vec::new();
    for _ in 0..times {
        load.goes_on().await;
        if kill {
            postgres.kill();
        } else {
            postgres.stop().await;
        }
        postgres.start_again().await;
        recoveries.push(deployment.server.ready().await);
    }
    let (ledger, seen) = load.end().await;
    ledger.note("times", times);
    let slowest = recoveries.iter().max().copied().unwrap();
    ledger.times("back_after", recoveries);
    ledger.settle(case, &stored(&postgres).await);
    seen.only_200_and_503();
    assert_eq!(seen.durable, [true].into());
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    deployment.server.signal(rustix::process::Signal::TERM);
    let exit = deployment.server.exit(Duration::from_secs(30)).await;
    assert!(
        exit.success(),
        "the server that saw it all is the first one: {exit}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_killing_postgresql_loses_nothing_and_needs_no_restart() {
    database_goes_away("A3", 4, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a3_full_size() {
    database_goes_away("A3", 20, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d4_restarting_postgresql_under_load_shows_as_503_only() {
    database_goes_away("D4", 4, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn d4_full_size() {
    database_goes_away("D4", 20, false).await;
}

/// The control: with asynchronous commits the same kills lose what was acknowledged, and no receipt called it
/// durable. If this loses nothing, the case above proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_without_synchronous_commit_the_kills_lose_events_and_no_receipt_says_durable() {
    const KILLS: usize = 5;
    let mut postgres = OwnPostgres::start_with(&[
        ("synchronous_commit", "off"),
        // What PostgreSQL has not written yet stays in its memory for as long as it can be told to keep it there.
        ("wal_writer_delay", "10s"),
        ("wal_writer_flush_after", "1GB"),
    ])
    .await;
    let refused = Server::try_start(postgres.url(), &[]).await;
    let said = refused.err().expect("it ends before it says that it listens");
    assert!(
        said.contains("synchronous_commit = off") && said.contains("--allow-not-durable"),
        "{said}"
    );
    let deployment = Deployment::on(postgres.url(), &["--allow-not-durable"]).await;
    let ready = http().get(format!("{}/readyz", deployment.server.url()));
    let ready = ready.send().await.unwrap().text().await.unwrap();
    assert!(ready.contains(r#""durable":false"#), "{ready}");
    let member = deployment.member("ann").await;
    let (ledger, sender) = (Ledger::default(), Sender::to(&deployment.server.url()));
    // The member is not to be lost.
    deployment.beside().await.ask("checkpoint").await;
    for kill in 0..KILLS {
        for n in 0..5 {
            let batch = ids(&format!("k{kill}_{n}"), 50);
            let keys = || batch.iter().map(|uuid| format!("{} {uuid}", member.id.0));
            ledger.sent(keys());
            let receipt = sender.deliver(&member.token, &lines(&batch)).await;
            assert!(!receipt.durable);
            ledger.acked(keys());
        }
        // At once: the next commit would push this one out of memory.
        postgres.kill();
        postgres.start_again().await;
        deployment.server.ready().await;
    }
    ledger.note("times", KILLS);
    let balance = ledger.balance("A3, not durable", &stored(&postgres).await);
    assert!(balance.lost > 0, "nothing is lost: the kills are too soft");
    assert_eq!((balance.duplicated, balance.phantom), (0, 0));
}
