//! Deleting, cut short: a member's own deletion and the retention of an org, with the server or the command killed
//! without a word in the middle. What is promised holds all the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "it tells what the kills met")]

use std::time::Duration;

use crate::harness::{
    Deployment,
    deployment::{Member, Sender},
    process::{toolhub, until},
    sample::{event_at, now},
};
use chrono::{DateTime, TimeDelta, Utc};
use model::administration::OrgChange;
use reqwest::Method;
use serde_json::json;
use store::audit::Act;

const BATCH: usize = 5_000;

/// Events as lines, a batch each.
fn logs(batches: usize, at: impl Fn(usize) -> DateTime<Utc>) -> Vec<String> {
    (0..batches)
        .map(|batch| {
            let numbers = batch * BATCH..(batch + 1) * BATCH;
            numbers
                .map(|n| {
                    event_at(&format!("call_{n}"), &format!("cli:tool-{}", n % 50), at(n)).to_string() + "\n"
                })
                .collect()
        })
        .collect()
}

/// The sums of the receipts: inserted, duplicate, rejected because the member has deleted them.
async fn upload(deployment: &Deployment, member: &Member, logs: &[String]) -> (u64, u64, u64) {
    let sender = Sender::to(&deployment.front.url());
    let mut sums = (0, 0, 0);
    for batch in logs {
        let receipt = sender.deliver(&member.token, batch).await;
        for rejection in &receipt.rejections {
            let code = serde_json::to_value(rejection.code).unwrap();
            assert_eq!(code, "deleted_by_member", "{rejection:?}");
        }
        sums = (
            sums.0 + receipt.inserted,
            sums.1 + receipt.duplicate,
            sums.2 + receipt.rejected,
        );
    }
    sums
}

/// What is left: events, whether there is a cut, and that everything derived agrees.
async fn left(deployment: &Deployment, member: &Member) -> (u64, bool) {
    // The transaction of a process that was killed holds the lock of the org until it has ended.
    let act = Act::by_operator(deployment.org, now());
    deployment
        .store
        .org_change(&act, &OrgChange::default())
        .await
        .unwrap();
    let settings = deployment
        .store
        .my_settings(deployment.org, member.id)
        .await
        .unwrap();
    let rebuilt = deployment.store.rebuild().await.unwrap();
    assert_eq!(rebuilt.differences, 0);
    (deployment.rows().await, settings.events_before.is_some())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Server,
    Command,
}

async fn deletions_cut_short(victim: Victim) {
    let mut deployment = Deployment::start().await;
    let ann = deployment.member("ann").await;
    let logs = logs(3, |n| {
        now() - TimeDelta::hours(1) - TimeDelta::seconds(i64::try_from(n).unwrap())
    });
    let all = (logs.len() * BATCH) as u64;
    assert_eq!(upload(&deployment, &ann, &logs).await, (all, 0, 0));
    let (mut whole, mut nothing) = (0, 0);
    for kill in 0..8 {
        let home = tempfile::tempdir().unwrap();
        let url = deployment.front.url();
        let arguments = [
            "me",
            "delete",
            "--confirm",
            "ann",
            "--url",
            &url,
            "--token",
            &ann.token,
        ];
        let mut command = toolhub(home.path(), &arguments).spawn().unwrap();
        // Not waiting for anything: a kill at whatever point it has reached by then.
        tokio::time::sleep(Duration::from_millis(kill * 25)).await;
        match victim {
            Victim::Server => drop(deployment.kill_and_restart().await),
            Victim::Command => command.kill().await.unwrap(),
        }
        let _ = command.wait().await;
        let found = left(&deployment, &ann).await;
        let (inserted, duplicate, rejected) = upload(&deployment, &ann, &logs).await;
        assert_eq!(
            (inserted, duplicate + rejected),
            (0, all),
            "kill {kill}: nothing comes back"
        );
        match (found, left(&deployment, &ann).await) {
            ((0, true), (0, true)) => assert_eq!(rejected, all, "kill {kill}"),
            ((rows, false), (still, false)) => {
                assert_eq!((rows, still, duplicate), (all, all, all), "kill {kill}")
            }
            // The request of the killed command was still in flight, perhaps between the two reads.
            ((rows, false), (0, true)) if victim == Victim::Command => {
                assert!(rows == all || rows == 0, "kill {kill}: {rows}");
            }
            half => panic!("kill {kill}: {half:?}"),
        }
        if left(&deployment, &ann).await == (0, true) {
            whole += 1;
            let change = json!({ "accept_deleted": true }).to_string();
            let http = crate::harness::process::http();
            let request = http.request(
                Method::PATCH,
                format!("{}/v1/me/settings", deployment.front.url()),
            );
            let answer = request.bearer_auth(&ann.token).body(change).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(upload(&deployment, &ann, &logs).await, (all, 0, 0), "kill {kill}");
        } else {
            nothing += 1;
        }
    }
    println!("{whole} deletions had happened, {nothing} had not");
    // Undisturbed, it ends; and the command of one who retries does no harm.
    for _ in 0..2 {
        let home = tempfile::tempdir().unwrap();
        let url = deployment.front.url();
        let arguments = [
            "me",
            "delete",
            "--confirm",
            "ann",
            "--url",
            &url,
            "--token",
            &ann.token,
        ];
        assert!(toolhub(home.path(), &arguments).status().await.unwrap().success());
        assert_eq!(left(&deployment, &ann).await, (0, true));
    }
    assert_eq!(upload(&deployment, &ann, &logs).await, (0, 0, all));
}

#[tokio::test]
async fn a_deletion_under_a_killed_server_has_happened_whole_or_not_at_all_and_nothing_comes_back() {
    deletions_cut_short(Victim::Server).await;
}

#[tokio::test]
async fn a_deletion_by_a_killed_command_has_happened_whole_or_not_at_all_and_nothing_comes_back() {
    deletions_cut_short(Victim::Command).await;
}

#[tokio::test]
async fn a_retention_whose_server_is_killed_again_and_again_ends_and_takes_nothing_that_is_kept() {
    const DAYS: usize = 100;
    const KEPT: u64 = 11;
    let mut deployment = Deployment::start().await;
    let ann = deployment.member("ann").await;
    let midnight = now().date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let logs = logs(28, |n| {
        midnight - TimeDelta::days(i64::try_from(n % DAYS).unwrap())
    });
    let all = (logs.len() * BATCH) as u64;
    assert_eq!(upload(&deployment, &ann, &logs).await, (all, 0, 0));
    let change = OrgChange {
        retention_days: Some(10),
        ..OrgChange::default()
    };
    let act = Act::by_operator(deployment.org, now());
    deployment.store.org_change(&act, &change).await.unwrap();
    let kept = all / DAYS as u64 * KEPT;
    // The upload may have taken longer than the first server waited, whose next run is in an hour.
    deployment.kill_and_restart().await;
    let mut cut_short = 0;
    for _ in 0..3 {
        // A server begins with it some seconds after its start.
        let before = deployment.rows().await;
        until("the retention has begun", async || {
            deployment.rows().await < before || before == kept
        })
        .await;
        deployment.kill_and_restart().await;
        let (rows, _) = left(&deployment, &ann).await;
        cut_short += u32::from(rows > kept);
        let query = "select count(*) from usage_events \
                     where occurred_at >= (current_date at time zone 'UTC') - interval '10 days'";
        let young = deployment.beside().await.ask(query).await.remove(0).remove(0);
        assert_eq!(young.parse::<u64>().unwrap(), kept, "what is kept is all there");
    }
    assert!(cut_short > 0, "a kill came before the end");
    until("the retention has ended", async || {
        deployment.rows().await == kept
    })
    .await;
    assert_eq!(left(&deployment, &ann).await, (kept, false));
    // What is too old does not come back.
    let sender = Sender::to(&deployment.front.url());
    let receipt = sender.deliver(&ann.token, &logs[0]).await;
    let (old, young) = (BATCH as u64 / 100 * (100 - KEPT), BATCH as u64 / 100 * KEPT);
    assert_eq!((receipt.rejected, receipt.duplicate), (old, young), "{receipt:?}");
}
