//! What one member, one token, one address and one org can take from the others: nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use server::Config;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::harness::{
    Caller, Hub,
    process::{http, until},
    sample::{event, with},
};

/// Events of a member, written by the database itself: `count` of them, about a kilobyte each.
async fn fill(hub: &Hub, caller: &Caller, count: usize) {
    let wide = "w".repeat(200);
    hub.beside()
        .await
        .ask(&format!(
            "insert into usage_events (org_id, member_id, occurred_at, received_at, outcome, source, upload_id, uuid,
                 tool_id, operation, session_id, project, git_branch, model)
             select m.org_id, m.member_id, now() - n * interval '1 second', now(), 'success', 'api',
                 gen_random_uuid(), 'filled-' || n, 'builtin:Bash', '{wide}', '{wide}', '{wide}', '{wide}', '{wide}'
             from members m cross join generate_series(1, {count}) n where m.member_id = {}",
            caller.member.0
        ))
        .await;
}

/// A request whose answer is not read: its connection, with as little room for the answer as the system gives.
async fn unread(hub: &Hub, caller: &Caller, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2_048).unwrap();
    let address = hub.url.strip_prefix("http://").unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
        caller.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads a connection to its end; true when that comes within a minute.
async fn ends(mut stream: TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(60), stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_a_member_whose_data_is_being_changed_do_not_keep_others_waiting() {
    let hub = Hub::start().await;
    let (acme, other) = (hub.org("acme").await, hub.org("other").await);
    let ann = hub.member(&acme, "ann").await;
    let ben = hub.member(&acme, "ben").await;
    let cat = hub.member(&other, "cat").await;
    let deletion = hub.beside().await;
    deletion
        .ask(&format!(
            "begin; select from members where member_id = {} for update",
            ann.member.0
        ))
        .await;
    // As many as would take every connection of the database and every slot of a commit.
    let mut waiting = JoinSet::new();
    for n in 0..30 {
        let (ann, body) = (ann.clone(), json!([event(&format!("a{n}"), "mcp:x")]).to_string());
        waiting.spawn(async move { ann.post("application/json", body).await });
    }
    let inventory = json!({ "sessions": [{
        "session_id": "s", "observed_at": "2026-01-02T03:04:05Z", "tools": [{ "tool_id": "mcp:x" }]
    }] });
    for _ in 0..20 {
        let (ann, inventory) = (ann.clone(), inventory.clone());
        waiting.spawn(async move {
            ann.send(ann.request(Method::PUT, "/v1/inventory").json(&inventory))
                .await
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for n in 0..10 {
        for caller in [&ben, &cat] {
            let receipt = caller.upload(&[event(&format!("b{n}"), "mcp:x")]).await;
            assert_eq!(receipt.inserted, 1);
            assert_eq!(caller.get("/v1/events").await.status, StatusCode::OK);
        }
    }
    while let Some(answer) = waiting.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.headers.contains_key("retry-after"));
        assert_eq!(answer.problem(503).code, "member_busy");
    }
    deletion.ask("commit").await;
    assert_eq!(ann.upload(&[event("a0", "mcp:x")]).await.inserted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_export_gives_its_connection_back_and_ends_incomplete() {
    let hub = Hub::start().await;
    let org = hub.org("acme").await;
    let ann = hub.member(&org, "ann").await;
    fill(&hub, &ann, 30_000).await;
    let mut stalled = unread(&hub, &ann, "/v1/me/data").await;
    let beside = hub.beside().await;
    let exports = "select count(*) from pg_stat_activity where datname = current_database() \
                   and application_name like '% export'";
    until("the export runs", async || beside.number(exports).await == 1).await;
    let second = ann.get("/v1/me/data").await;
    assert!(second.headers.contains_key("retry-after"));
    assert_eq!(second.problem(429).code, "too_many_long_requests");
    let erase = ann
        .send(
            ann.request(Method::DELETE, "/v1/me/data")
                .query(&[("confirm", "ann")]),
        )
        .await;
    assert_eq!(erase.problem(429).code, "too_many_long_requests");
    // The stream goes on as soon as it is read, within its limit.
    until("the export is given up", async || {
        beside.number(exports).await == 0
    })
    .await;
    let mut document = Vec::new();
    let _ = timeout(Duration::from_secs(60), stalled.read_to_end(&mut document))
        .await
        .expect("the connection ends");
    assert!(!document.ends_with(b"}\n\r\n0\r\n\r\n"), "it looks complete");
    assert_eq!(ann.get("/v1/me/data").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_are_counted_and_end() {
    let hub = Hub::start_with(Config {
        // Long enough for the answer to be seen on a busy machine.
        stall_timeout: Duration::from_secs(15),
        token_requests: 1,
        ..Config::default()
    })
    .await;
    let (acme, other) = (hub.org("acme").await, hub.org("other").await);
    let ann = hub.member(&acme, "ann").await;
    let cat = hub.member(&other, "cat").await;
    // More than the buffers of both kernels hold.
    fill(&hub, &ann, 40_000).await;
    let export = unread(&hub, &ann, "/v1/me/data").await;
    let mut refused = None;
    until("the token has its answer", async || {
        refused = Some(ann.get("/v1/events?limit=1").await);
        refused
            .as_ref()
            .is_some_and(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS)
    })
    .await;
    assert_eq!(refused.unwrap().problem(429).code, "too_many_requests");
    assert_eq!(cat.get("/v1/events").await.status, StatusCode::OK);
    until("the connection has ended", async || {
        ann.get("/v1/events?limit=1").await.status == StatusCode::OK
    })
    .await;
    assert!(ends(export).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_free_connections_answers_probes() {
    let hub = Hub::start_with(Config {
        connections: 3,
        header_timeout: Duration::from_secs(60),
        ..Config::default()
    })
    .await;
    let address = hub.url.strip_prefix("http://").unwrap().to_owned();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(&address).await.unwrap());
    }
    let ask = async |path: &str| {
        // A client of its own has no connection from before.
        http().get(format!("{}{path}", hub.url)).send().await.unwrap()
    };
    for probe in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(ask(probe).await.status(), StatusCode::OK, "{probe}");
    }
    let refused = ask("/v1/limits").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(held);
    until("connections are free again", async || {
        ask("/v1/limits").await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_has_so_many_connections_and_no_more() {
    let hub = Hub::start_with(Config {
        address_connections: 2,
        header_timeout: Duration::from_secs(300),
        ..Config::default()
    })
    .await;
    let address = hub.url.strip_prefix("http://").unwrap().to_owned();
    let mut three = JoinSet::new();
    for _ in 0..3 {
        let stream = TcpStream::connect(&address).await.unwrap();
        three.spawn(async move { ends(stream).await });
    }
    // The server looks at connections side by side, so that any of them may come last.
    assert_eq!(three.join_next().await.unwrap().ok(), Some(true), "one is closed");
    let another = timeout(Duration::from_millis(500), three.join_next()).await;
    assert!(another.is_err(), "two stay open");
    three.shutdown().await;
    until("a connection is free again", async || {
        http().get(format!("{}/livez", hub.url)).send().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_do_not_fit_in_the_budget_are_refused_until_others_are_answered() {
    let hub = Hub::start_with(Config {
        body_memory: 15 * 1024 * 1024,
        ..Config::default()
    })
    .await;
    let (acme, other) = (hub.org("acme").await, hub.org("other").await);
    let ann = hub.member(&acme, "ann").await;
    let cat = hub.member(&other, "cat").await;
    // A body of unknown length counts as it arrives, with the room that it has to grow: 3.5 to 5.3 MiB of the 10 that an
    // org has.
    let address = hub.url.strip_prefix("http://").unwrap().to_owned();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n380000\r\n",
        ann.token
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&vec![b' '; 0x38_0000]).await.unwrap();
    let large = json!([with(
        event("l", "mcp:x"),
        &json!({ "task_text": "x".repeat(27 << 18) })
    )])
    .to_string();
    let mut refused = None;
    until("the body is counted", async || {
        let answer = ann.post("application/json", large.clone()).await;
        let over = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        refused = Some(answer);
        over
    })
    .await;
    assert_eq!(refused.unwrap().problem(503).code, "overloaded");
    assert_eq!(ann.upload(&[event("small", "mcp:x")]).await.inserted, 1);
    assert_eq!(
        cat.post("application/json", large.clone()).await.status,
        StatusCode::OK
    );
    drop(slow);
    until("the budget is free again", async || {
        ann.post("application/json", large.clone()).await.status == StatusCode::OK
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_millions_of_items_is_refused_at_the_first_too_many() {
    let hub = Hub::start().await;
    let org = hub.org("acme").await;
    let ann = hub.member(&org, "ann").await;
    let body = format!("[{}1]", "1,".repeat(4_000_000));
    let started = Instant::now();
    let answer = ann.post("application/json", body).await;
    assert_eq!(answer.problem(413).code, "too_large");
    assert!(started.elapsed() < Duration::from_secs(30));
    let inventory = format!(
        r#"{{"sessions":[{{"session_id":"s","observed_at":"2026-01-02T03:04:05Z","tools":[{}]}}]}}"#,
        vec![r#"{"tool_id":"mcp:x"}"#; 60_000].join(",")
    );
    let answer = ann
        .send(ann.request(Method::PUT, "/v1/inventory").body(inventory))
        .await;
    assert_eq!(answer.problem(413).code, "too_large");
}
