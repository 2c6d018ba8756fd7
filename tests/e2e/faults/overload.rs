//! C: a client that sends too much, too slowly or nothing at all does not affect the others.

use std::{io::Write, time::Duration};

use crate::harness::{
    Deployment, Hub, Ledger,
    deployment::{Member, Sender},
    process::{Server, allow_open_files, http, until},
};
use model::team::{Role, Scope};
use reqwest::{Body, Method, StatusCode};
use server::Config;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{ids, lines};

const MIB: u64 = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A request head with these further headers, without its end.
fn head(server: &Server, member: &Member, headers: &str) -> String {
    format!(
        "POST /v1/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\n{headers}",
        server.address(),
        member.token
    )
}

/// Sends raw bytes and reads the status of the answer; 0 when the connection ends without one.
async fn raw(server: &Server, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // The server may answer and close before everything is sent.
    let _ = stream.write_all(bytes).await;
    status(&mut stream).await
}

async fn status(stream: &mut (impl AsyncRead + Unpin)) -> u16 {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match timeout(Duration::from_secs(60), stream.read(&mut piece))
            .await
            .expect("an answer or an end")
        {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_a_bomb_is_refused_at_once_and_in_little_memory() {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let zeros = vec![b' '; 300 * 1024 * 1024];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("zstd", zstd::encode_all(&zeros[..], 3).unwrap()),
    ];
    drop(zeros);
    let server = &deployment.server;
    let before = server.begin_memory_watch();
    let (http, mut slowest) = (http(), Duration::ZERO);
    for (encoding, bomb) in &bombs {
        for chunked in [false, true] {
            let started = Instant::now();
            let body = if chunked {
                Body::wrap_stream(in_pieces(bomb))
            } else {
                Body::from(bomb.clone())
            };
            let answer = http
                .post(format!("{}/v1/events", server.url()))
                .bearer_auth(&member.token)
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", *encoding)
                .body(body)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 413, "{encoding}, chunked: {chunked}");
            slowest = slowest.max(started.elapsed());
        }
    }
    let started = Instant::now();
    for (headers, expected) in [
        // Twice encoded, under one name or two.
        (
            "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            415,
        ),
        ("Content-Encoding: gzip, zstd\r\nContent-Length: 0\r\n\r\n", 415),
        ("Content-Encoding: br\r\nContent-Length: 0\r\n\r\n", 415),
        // More than is allowed, announced.
        ("Content-Length: 99999999999\r\n\r\n", 413),
        ("Content-Length: 7, 9\r\n\r\n{}\n", 400),
        // Less announced than comes: the rest is not a request.
        ("Content-Length: 3\r\n\r\n{}\n{}\n{}\n{}\n", 200),
    ] {
        let status = raw(server, head(server, &member, headers).as_bytes()).await;
        assert_eq!(status, expected, "{headers:?}");
    }
    slowest = slowest.max(started.elapsed() / 6);
    let grown = server.peak_memory().saturating_sub(before);
    let ledger = Ledger::default();
    ledger.note("memory_mib", grown / MIB);
    ledger.note("slowest", format_args!("{slowest:.2?}"));
    ledger.settle("C1", &deployment.stored().await);
    assert!(grown < 32 * MIB, "{} MiB", grown / MIB);
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

/// A chunked body of unknown length.
fn in_pieces(bytes: &[u8]) -> impl futures_util::Stream<Item = std::io::Result<Vec<u8>>> + Send + use<> {
    let pieces: Vec<Vec<u8>> = bytes.chunks(16 * 1024).map(<[u8]>::to_vec).collect();
    futures_util::stream::iter(pieces.into_iter().map(Ok))
}

/// Begins a request to a route, and pours out its body until there is an answer: the status, and how much was taken
/// until then. What the buffers of the two kernels hold counts as taken.
async fn pour(server: &Server, head: &str, mut body: impl Iterator<Item = Vec<u8>>) -> (u16, u64) {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let taken = std::cell::Cell::new(0);
    let pouring = async {
        to.write_all(head.as_bytes()).await?;
        for piece in &mut body {
            to.write_all(&piece).await?;
            taken.set(taken.get() + piece.len() as u64);
        }
        std::io::Result::Ok(())
    };
    let answered = status(&mut from);
    tokio::pin!(answered);
    let status = tokio::select! {
        status = &mut answered => status,
        // Everything is sent, or the connection is closed.
        _ = pouring => answered.await,
    };
    (status, taken.get())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_no_route_takes_a_bomb_or_a_hundred_megabytes() {
    let deployment = Deployment::start().await;
    let server = &deployment.server;
    let bomb = gzip(&vec![b' '; 100 * 1024 * 1024]);
    // A chunk of a body of unknown length.
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 64 * 1024], b"\r\n"].concat();
    let routes = server::router::routes(deployment.store.clone(), Config::default());
    let before = server.begin_memory_watch();
    let (mut most_taken, mut refused) = (0, 0);
    for (n, route) in routes.iter().enumerate() {
        let (method, path) = (&route.method, route.path.replace(['{', '}'], ""));
        // One who may do everything; and one for each, because some routes end their caller's token.
        let member = deployment
            .member_with(
                &format!("m{n}"),
                Role::Owner,
                &[Scope::Upload, Scope::Read, Scope::Admin],
            )
            .await;
        let head = |headers: &str| {
            format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\n{headers}\r\n\r\n",
                member.token
            )
        };
        let packed = format!("Content-Encoding: gzip\r\nContent-Length: {}", bomb.len());
        let answers = [
            pour(server, &head(&packed), std::iter::once(bomb.clone())).await,
            pour(
                server,
                &head("Transfer-Encoding: chunked"),
                std::iter::repeat_n(chunk.clone(), 1_600),
            )
            .await,
        ];
        for (status, taken) in answers {
            // A route that reads no body answers as if there were none; a form leads to the sign-in.
            let reads = !route.access.is_page()
                && matches!(*method, Method::POST | Method::PUT | Method::PATCH)
                && !path.ends_with("/invitation")
                // Metrics are dropped as they arrive, whatever they are.
                && path != "/otlp/v1/metrics";
            let fine = if reads {
                status == 413
            } else {
                (200..500).contains(&status)
            };
            assert!(fine, "{method} {path}: {status}");
            // The limit is 8 MiB, of OTLP 64, and the rest is what sockets hold.
            let most = if path.starts_with("/otlp/") { 88 } else { 32 };
            assert!(
                taken < most * MIB,
                "{method} {path} took {} MiB before it said {status}",
                taken / MIB
            );
            most_taken = most_taken.max(taken);
            refused += usize::from(status == 413);
        }
    }
    let grown = server.peak_memory().saturating_sub(before);
    let ledger = Ledger::default();
    ledger.note("routes", routes.len());
    ledger.note("refused", refused);
    ledger.note("most_taken_mib", most_taken / MIB);
    ledger.note("memory_mib", grown / MIB);
    ledger.settle("C2", &deployment.stored().await);
    // A body of OTLP: while its buffer grows to 64 MiB, the one before it exists, too.
    assert!(grown < 128 * MIB, "{} MiB", grown / MIB);
}

/// C3: connections that say half of something, or nothing.
async fn idle_connections(each: usize) {
    // They end here and there, and each end is a file; before the server is started, so that it may have as many.
    allow_open_files(each as u64 * 4 + 512);
    // One address alone has fewer.
    let deployment = Deployment::start_with(&["--trusted-proxy", "127.0.0.1/32"]).await;
    let member = deployment.member("ann").await;
    let server = &deployment.server;
    let ledger = Ledger::default();
    let sender = Sender::to(&server.url());
    let served = async |name: &str| {
        let mut times = Vec::new();
        for n in 0..40 {
            let batch = ids(&format!("{name}{n}"), 50);
            let keys = || batch.iter().map(|uuid| format!("{} {uuid}", member.id.0));
            let started = Instant::now();
            ledger.sent(keys());
            assert!(sender.send(&member.token, &lines(&batch)).await.is_some());
            ledger.acked(keys());
            times.push(started.elapsed());
        }
        times
    };
    let undisturbed = ledger.times("alone", served("before").await);
    let files = server.open_files();
    let (mut half_open, mut silent) = (JoinSet::new(), JoinSet::new());
    for n in 0..each * 2 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let opened = Instant::now();
        let says_half = n % 2 == 0;
        if says_half {
            stream
                .write_all(b"POST /v1/events HTTP/1.1\r\nHost: a\r\n")
                .await
                .unwrap();
        }
        let connections = if says_half { &mut half_open } else { &mut silent };
        connections.spawn(async move {
            let mut answer = Vec::new();
            // A half-open request may get its 408 first.
            let _ = timeout(Duration::from_secs(60), stream.read_to_end(&mut answer))
                .await
                .expect("closed");
            opened.elapsed()
        });
    }
    // All other clients are served meanwhile.
    let disturbed = ledger.times("others", served("amid").await);
    let half_open = ledger.times("half_open_closed_after", half_open.join_all().await);
    let silent = ledger.times("silent_closed_after", silent.join_all().await);
    until("the connections are given back", async || {
        server.open_files() <= files + 3
    })
    .await;
    ledger.note("connections", each * 2);
    ledger.settle("C3", &deployment.stored().await);
    // Five seconds for the head are the setting; a busy machine takes longer to notice.
    assert!(half_open < Duration::from_secs(15), "{half_open:?}");
    assert!(silent < Duration::from_secs(15), "{silent:?}");
    assert!(
        disturbed < undisturbed * 2 + Duration::from_secs(2),
        "{disturbed:?}, and {undisturbed:?} without them"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_half_open_and_silent_connections_are_closed_and_do_not_affect_others() {
    idle_connections(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes thousands of connections"]
async fn c3_full_size() {
    idle_connections(1_000).await;
}

/// C4: a body that comes byte by byte, where it may take so long.
async fn dripping_body(allowed: Duration) {
    let hub = Hub::start_with(Config {
        body_timeout: allowed,
        ..Config::default()
    })
    .await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let address = hub.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: 100000\r\n\r\n[",
        ann.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let started = Instant::now();
    let (mut from, mut to) = stream.into_split();
    let dripping = tokio::spawn(async move {
        while to.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(status(&mut from).await, 408);
    let after = started.elapsed();
    dripping.abort();
    let ledger = Ledger::default();
    ledger.note("allowed", format_args!("{allowed:?}"));
    ledger.note("given_up_after", format_args!("{after:.2?}"));
    let rows = hub.beside().await.ask("select uuid from usage_events").await;
    ledger.settle("C4", &rows.into_iter().flatten().collect::<Vec<_>>());
    // A second more is promised; a busy machine gets more.
    assert!(after < allowed + Duration::from_secs(10), "{after:?}");
}

#[tokio::test]
async fn c4_a_body_that_drips_is_given_up() {
    dripping_body(Duration::from_secs(1)).await;
}

#[tokio::test]
#[ignore = "takes half a minute"]
async fn c4_full_size() {
    dripping_body(Config::default().body_timeout).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c8_no_request_waits_long_for_a_stuck_database() {
    const REQUESTS: usize = 200;
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    // Authentication waits for this lock, and with it every connection of the pool.
    let beside = deployment.beside().await;
    beside
        .ask("begin; lock table api_tokens in access exclusive mode")
        .await;
    let (http, started) = (http(), Instant::now());
    let mut asking = JoinSet::new();
    for _ in 0..REQUESTS {
        let request = http
            .get(format!("{}/v1/scores", deployment.server.url()))
            .bearer_auth(&member.token);
        asking.spawn(async move {
            let answer = request.send().await.unwrap();
            let retry_after = answer.headers().contains_key("retry-after");
            (answer.status(), retry_after, started.elapsed())
        });
    }
    let (mut times, mut soon) = (Vec::new(), 0);
    while let Some(answered) = asking.join_next().await {
        let (status, retry_after, after) = answered.unwrap();
        assert_eq!((status, retry_after), (StatusCode::SERVICE_UNAVAILABLE, true));
        soon += usize::from(after < Duration::from_secs(4));
        times.push(after);
    }
    let slowest = times.iter().max().copied().unwrap();
    beside.ask("rollback").await;
    let ledger = Ledger::default();
    ledger.note("refused", REQUESTS);
    ledger.times("refused_after", times);
    ledger.settle("C8", &deployment.stored().await);
    // Those without a connection hear it after the wait for one (2 s); those with one, when the lock times out (5 s).
    assert!(
        soon >= REQUESTS / 2,
        "only {soon} of {REQUESTS} were refused soon"
    );
    assert!(slowest < Duration::from_secs(12), "{slowest:?}");
    until("it goes on", async || {
        let answer = http
            .get(format!("{}/v1/scores", deployment.server.url()))
            .bearer_auth(&member.token)
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
}
