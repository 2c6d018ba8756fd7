//! F: two servers on one database.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{
    Deployment, Ledger,
    deployment::Sender,
    process::{self, Server, until},
    proxy::Upstream,
};

use super::{ids, lines, load::Load};

async fn get(server: &Server, token: &str, path: &str) -> (u16, Value) {
    let answer = process::http()
        .get(format!("{}{path}", server.url()))
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_the_same_events_sent_to_two_servers_are_counted_once_and_both_show_the_same_board() {
    let deployment = Deployment::start().await;
    let second = Server::start(&deployment.database_url).await;
    second.ready().await;
    let member = deployment.member("ann").await;
    let senders = [Sender::to(&deployment.server.url()), Sender::to(&second.url())];
    let ledger = Ledger::default();
    let mut inserted = 0;
    for round in 0..10 {
        let batch = ids(&format!("r{round}"), 100);
        let keys = || batch.iter().map(|uuid| format!("{} {uuid}", member.id.0));
        ledger.sent(keys());
        let text = lines(&batch);
        // At the same time, and in the end at both.
        let (here, there) = tokio::join!(
            senders[0].deliver(&member.token, &text),
            senders[1].deliver(&member.token, &text)
        );
        ledger.acked(keys());
        inserted += here.inserted + there.inserted;
        assert_eq!(here.inserted + there.inserted, 100, "each event is new once");
    }
    ledger.note("inserted", inserted);
    ledger.settle("F1", &deployment.stored().await);
    let path = "/v1/leaderboards/tools?window=all&kind=all&fresh=true";
    let events = |board: &Value| board["leaderboard"][0]["events"].as_u64();
    for server in [&deployment.server, &second] {
        until("the board has every event", async || {
            let (status, board) = get(server, &member.token, path).await;
            status == 200 && events(&board) == Some(1_000)
        })
        .await;
    }
    let (_, here) = get(&deployment.server, &member.token, path).await;
    let (_, there) = get(&second, &member.token, path).await;
    assert_eq!(here["leaderboard"], there["leaderboard"]);
}

#[tokio::test]
async fn f2_a_token_revoked_at_one_server_is_refused_by_the_other_from_the_next_request_on() {
    let deployment = Deployment::start().await;
    let second = Server::start(&deployment.database_url).await;
    second.ready().await;
    let ann = deployment.member("ann").await;
    let kept = deployment.again(&ann).await;
    for server in [&deployment.server, &second] {
        assert_eq!(get(server, &ann.token, "/v1/me").await.0, 200);
    }
    let revoked = process::http()
        .delete(format!("{}/v1/tokens/current", deployment.server.url()))
        .bearer_auth(&ann.token)
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.status(), 204);
    let (status, problem) = get(&second, &ann.token, "/v1/me").await;
    assert_eq!((status, &problem["code"]), (401, &"invalid_token".into()));
    let sender = Sender::to(&second.url());
    assert!(sender.send(&ann.token, &lines(&ids("late", 1))).await.is_none());
    assert_eq!(get(&second, &kept.token, "/v1/me").await.0, 200);
    assert_eq!(deployment.rows().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_a_rolling_restart_of_two_servers_under_load_loses_nothing() {
    let mut deployment = Deployment::start().await;
    let mut second = Server::start(&deployment.database_url).await;
    second.ready().await;
    let load = Load::through(&deployment, &deployment.front.url()).await;
    for _ in 0..2 {
        for server in 0..2 {
            // The other one serves while this one is replaced.
            let (old, other) = match server {
                0 => (&mut deployment.server, &second),
                _ => (&mut second, &deployment.server),
            };
            deployment.front.lead_to(Upstream::Tcp(other.address()));
            old.signal(Signal::TERM);
            let exit = old.exit(Duration::from_secs(60)).await;
            assert_eq!(exit.code(), Some(0), "{}", old.log());
            load.goes_on().await;
            *old = Server::start(&deployment.database_url).await;
            old.ready().await;
        }
    }
    let (ledger, seen) = load.end().await;
    ledger.note("restarts", 4);
    ledger.settle("F3", &deployment.stored().await);
    assert_eq!(seen.durable, [true].into());
    // 0 is a connection that the old server closed.
    assert!(
        seen.statuses.keys().all(|status| matches!(status, 0 | 200 | 503)),
        "{:?}",
        seen.statuses
    );
}
