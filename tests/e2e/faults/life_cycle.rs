//! E: stopping is no accident.

use std::{os::unix::process::ExitStatusExt, time::Duration};

use crate::harness::{
    Deployment, Laptop, Ledger, NetworkFault,
    process::{Server, until},
};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{ids, lines};

/// Sends a request but for its last byte, once the server has read its head and waits for the rest.
async fn begin(server: &Server, token: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/x-ndjson\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
        .write_all(&body.as_bytes()[..body.len() - 1])
        .await
        .unwrap();
    stream
}

/// The whole answer, as text.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(60), stream.read_to_end(&mut answer))
        .await
        .expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_a_server_that_is_told_to_stop_finishes_what_it_has_begun() {
    let mut deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    // One token has fewer answers at a time.
    let mut tokens = vec![member.clone()];
    for _ in 0..3 {
        tokens.push(deployment.again(&member).await);
    }
    let ledger = Ledger::default();
    let mut requests = Vec::new();
    for n in 0..200 {
        let batch = ids(&format!("r{n}"), 10);
        ledger.sent(batch.iter().map(|uuid| format!("{} {uuid}", member.id.0)));
        requests.push((
            begin(&deployment.server, &tokens[n % 4].token, &lines(&batch)).await,
            batch,
        ));
    }
    // One keeps its last byte for ever.
    let holding = requests.pop().unwrap();
    let started = Instant::now();
    deployment.server.signal(Signal::TERM);
    let mut answers = JoinSet::new();
    for (mut stream, batch) in requests {
        answers.spawn(async move {
            let _ = stream.write_all(b"\n").await;
            (answer(&mut stream).await, batch)
        });
    }
    let (mut done, mut refused) = (0, 0);
    while let Some(answered) = answers.join_next().await {
        let (answer, batch) = answered.unwrap();
        if answer.starts_with("HTTP/1.1 200") {
            ledger.acked(batch.iter().map(|uuid| format!("{} {uuid}", member.id.0)));
            done += 1;
        } else {
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer:?}");
            refused += 1;
        }
    }
    let exit = deployment.server.exit(Duration::from_secs(40)).await;
    let took = started.elapsed();
    drop(holding);
    ledger.note("finished", done);
    ledger.note("refused", refused);
    ledger.note("exit_after", format_args!("{took:.1?}"));
    ledger.settle("E1", &deployment.stored().await);
    assert_eq!(exit.code(), Some(0), "{}", deployment.server.log());
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(done > 0);
    let refused = TcpStream::connect(deployment.server.address()).await;
    assert!(refused.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_half_open_and_idle_connections_do_not_keep_a_server_from_stopping() {
    let mut deployment = Deployment::start().await;
    let mut connections = Vec::new();
    for n in 0..60 {
        let mut stream = TcpStream::connect(deployment.server.address()).await.unwrap();
        match n % 3 {
            0 => {}
            1 => stream.write_all(b"GET /livez HTTP/1.1\r\nHo").await.unwrap(),
            _ => {
                // Answered, and kept alive.
                stream
                    .write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
                    .await
                    .unwrap();
                let mut first = [0; 12];
                stream.read_exact(&mut first).await.unwrap();
                assert_eq!(&first, b"HTTP/1.1 200");
            }
        }
        connections.push(stream);
    }
    let started = Instant::now();
    deployment.server.signal(Signal::TERM);
    let exit = deployment.server.exit(Duration::from_secs(40)).await;
    let ledger = Ledger::default();
    ledger.note("exit_after", format_args!("{:.1?}", started.elapsed()));
    ledger.settle("E2", &deployment.stored().await);
    assert_eq!(exit.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_a_second_signal_ends_the_server_at_once() {
    let mut deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let _holding = begin(&deployment.server, &member.token, &lines(&ids("never", 1))).await;
    deployment.server.signal(Signal::TERM);
    until("it stops", async || {
        deployment.server.log().contains("shutting down")
            || TcpStream::connect(deployment.server.address()).await.is_err()
    })
    .await;
    let started = Instant::now();
    deployment.server.signal(Signal::TERM);
    let exit = deployment.server.exit(Duration::from_secs(10)).await;
    let ledger = Ledger::default();
    ledger.note("exit_after", format_args!("{:.1?}", started.elapsed()));
    ledger.settle("E4", &deployment.stored().await);
    assert_eq!((exit.code(), exit.signal()), (Some(0), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_an_interrupted_uploader_goes_on_where_it_was() {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let laptop = Laptop::with_calls("e4", 0..3_000);
    let ledger = Ledger::default();
    ledger.sent(laptop.keys(&member));
    let arguments = ["--batch-events", "50", "--in-flight", "1"];
    let uploader = laptop.upload(&deployment.front.url(), &member, &arguments);
    until("some of it is sent", async || deployment.front.uploads() > 5).await;
    // So that it cannot come to its end first.
    deployment.front.set(NetworkFault::BlackHole);
    uploader.signal(Signal::INT);
    let (code, _) = uploader.end().await;
    assert_eq!(code, 130);
    deployment.front.set(NetworkFault::None);
    let (code, report) = laptop
        .upload(&deployment.front.url(), &member, &arguments)
        .end()
        .await;
    assert_eq!(code, 0, "{report}");
    assert!(report["resumed"].as_u64() > Some(0), "{report}");
    ledger.acked(laptop.keys(&member));
    ledger.settle("E4", &deployment.stored().await);
    assert_eq!(deployment.rows().await, 3_000);
}
