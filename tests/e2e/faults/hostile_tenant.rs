//! H: one token of one org does everything that it can think of at the same time, and another org notices nothing.
//!
//! `TOOLHUB_HOSTILE_SECONDS` makes it longer. What the other org's requests took is printed and not asserted.

use std::{
    fmt::Write,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::harness::{
    Deployment, OwnPostgres,
    deployment::Sender,
    process::{http, until},
};
use bytes::Bytes;
use model::{
    OrgId, limits,
    team::{MemberKind, Role, Scope},
};
use reqwest::{Client, StatusCode};
use serde_json::json;
use store::{
    session::{Session, SessionLimits},
    team::NewToken,
};
use testing::Beside;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::Instant,
};

use super::{ids, lines, random};
use crate::harness::sample::now;

const MIB: u64 = 1024 * 1024;

/// Who attacks, and until when.
#[derive(Clone)]
struct Attack {
    http: Client,
    url: String,
    token: String,
    over: Arc<AtomicBool>,
    /// Connections that stay open, unread, after the attack.
    kept: Arc<Mutex<Vec<TcpStream>>>,
}

impl Attack {
    fn is_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// One request after the other, whatever they answer.
    async fn requests(self, make: impl Fn(&Attack, usize) -> reqwest::RequestBuilder) {
        for n in 0.. {
            if !self.is_on() {
                break;
            }
            let _ = make(&self, n).bearer_auth(&self.token).send().await;
        }
    }

    /// Connections whose answers are not read, as many as the server takes.
    async fn unread(self, path: &'static str, count: usize) {
        let address = self.url.trim_start_matches("http://").to_owned();
        for _ in 0..count {
            if !self.is_on() {
                break;
            }
            let socket = TcpSocket::new_v4().unwrap();
            let _ = socket.set_recv_buffer_size(2_048);
            if let Ok(mut stream) = socket.connect(address.parse().unwrap()).await {
                let head = format!(
                    "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
                    self.token
                );
                let _ = stream.write_all(head.as_bytes()).await;
                self.kept.lock().unwrap().push(stream);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Bodies of the longest that is allowed, but for their last byte.
    async fn held_back(self, count: usize) {
        let address = self.url.trim_start_matches("http://").to_owned();
        let length = limits::WIRE_BYTES;
        let mut held = JoinSet::new();
        for _ in 0..count {
            let (address, token) = (address.clone(), self.token.clone());
            held.spawn(async move {
                let mut stream = TcpStream::connect(&address).await?;
                let head = format!(
                    "POST /v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
                     Content-Length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&vec![b' '; length - 1]).await?;
                std::io::Result::Ok(stream)
            });
        }
        let mut streams = Vec::new();
        while let Some(done) = held.join_next().await {
            streams.push(done);
        }
        while self.is_on() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(streams);
    }
}

/// Every attack of docs/security.md.
async fn attack(attack: &Attack) -> JoinSet<()> {
    let mut attacks = JoinSet::new();
    // What holds on to things comes first; the rest is refused as soon as the token has too many.
    attacks.spawn(attack.clone().unread("/v1/me/data", 20));
    attacks.spawn(attack.clone().held_back(44));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let millions = zstd::encode_all(format!("[{}1]", "1,".repeat(8_000_000)).as_bytes(), 3).unwrap();
    let packed = move |attack: &Attack, _: usize| {
        attack
            .http
            .post(format!("{}/v1/events", attack.url))
            .header("content-encoding", "zstd")
            .body(millions.clone())
    };
    for _ in 0..8 {
        attacks.spawn(attack.clone().requests(packed.clone()));
    }
    let large = large_body();
    for _ in 0..24 {
        let large = large.clone();
        attacks.spawn(attack.clone().requests(move |attack, _| {
            attack
                .http
                .post(format!("{}/v1/events", attack.url))
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", "zstd")
                .body(large.clone())
        }));
    }
    for writer in 0..4 {
        attacks.spawn(attack.clone().requests(move |attack, n| {
            let events: Vec<_> = (0..500)
                .map(|at| {
                    json!({ "tool_id": format!("mcp:flood-{writer}-{n}-{at}"), "outcome": "success",
                            "occurred_at": now().to_rfc3339() })
                })
                .collect();
            attack
                .http
                .post(format!("{}/v1/events", attack.url))
                .json(&json!({ "events": events }))
        }));
    }
    for path in [
        "/v1/dead-weight?limit=500",
        "/v1/leaderboards/tools?window=all&kind=all&project=p",
    ] {
        for _ in 0..8 {
            attacks.spawn(
                attack
                    .clone()
                    .requests(move |attack, _| attack.http.get(format!("{}{path}", attack.url))),
            );
        }
    }
    attacks.spawn(
        attack
            .clone()
            .requests(|attack, _| attack.http.get(format!("{}/v1/events?tool_id=%00", attack.url))),
    );
    attacks.spawn(attack.clone().requests(|attack, _| {
        let inventory = json!({ "sessions": [{ "session_id": "s", "observed_at": now().to_rfc3339(),
            "tools": [{ "tool_id": "mcp:x", "context_bytes": i64::MAX }] }] });
        attack
            .http
            .put(format!("{}/v1/inventory", attack.url))
            .json(&inventory)
    }));
    // The member's own row is locked again and again, while the uploads above want it.
    attacks.spawn(attack.clone().requests(|attack, _| {
        attack
            .http
            .delete(format!("{}/v1/me/data", attack.url))
            .query(&[("confirm", "mallory")])
    }));
    attacks.spawn(attack.clone().unread("/v1/events?limit=500", 400));
    attacks
}

/// Within every limit: 30 MiB of events, packed to a thirtieth.
fn large_body() -> Bytes {
    let (mut state, mut lines) = (7, String::new());
    while lines.len() < 30 << 20 {
        let block: String = (0..500)
            .map(|_| char::from(b'a' + u8::try_from(random(&mut state, 26)).unwrap()))
            .collect();
        let _ = writeln!(
            lines,
            r#"{{"tool_id":"mcp:x","outcome":"success","occurred_at":"2026-01-02T03:04:05Z","task_text":"{}"}}"#,
            block.repeat(60)
        );
    }
    zstd::encode_all(lines.as_bytes(), 3).unwrap().into()
}

/// What the other org does meanwhile; the answers that were not 200, and how long each took.
async fn work(url: String, token: String, over: Arc<AtomicBool>) -> (Vec<String>, Vec<Duration>) {
    let (http, mut faults, mut times) = (http(), Vec::new(), Vec::new());
    let mut n = 0;
    while !over.load(Ordering::Relaxed) {
        n += 1;
        let events: Vec<_> = (0..50)
            .map(|at| {
                json!({ "uuid": format!("b-{n}-{at}"), "tool_id": "mcp:x", "outcome": "success",
                        "occurred_at": now().to_rfc3339() })
            })
            .collect();
        let upload = http
            .post(format!("{url}/v1/events"))
            .json(&json!({ "events": events }));
        for request in [
            upload,
            http.get(format!("{url}/v1/leaderboards/tools")),
            http.get(format!("{url}/v1/events")),
            http.get(format!("{url}/livez")),
            http.get(format!("{url}/readyz")),
        ] {
            let started = Instant::now();
            let request = request
                .bearer_auth(&token)
                .header("x-forwarded-for", "203.0.113.9");
            match request.send().await {
                Ok(answer) if answer.status() == StatusCode::OK => times.push(started.elapsed()),
                Ok(answer) => faults.push(format!(
                    "{}: {}",
                    answer.url().path().to_owned(),
                    answer.text().await.unwrap_or_default()
                )),
                Err(error) => faults.push(error.to_string()),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (faults, times)
}

/// Connections that the server at this address has open, as proc(5) lists them.
fn open_connections(server: SocketAddr) -> usize {
    let port = format!(":{:04X}", server.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table
        .lines()
        .filter(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let is_ours = fields.next().is_some_and(|local| local.ends_with(&port));
            // After the other end's address; 01 is ESTABLISHED.
            is_ours && fields.nth(1) == Some("01")
        })
        .count()
}

/// Another org with a member who uploads and reads.
async fn another_org(deployment: &Deployment) -> String {
    let store = &deployment.store;
    let org = store.org_create("other", now()).await.unwrap();
    let member = store
        .member_add(org, "ben", MemberKind::Person, Role::Member, now())
        .await
        .unwrap();
    let new = NewToken {
        name: "test",
        scopes: &[Scope::Upload, Scope::Read],
        expires_at: None,
    };
    let token = store.token_create(org, member, &new, now()).await.unwrap();
    token.reveal().to_owned()
}

/// Enough events of each member of an org for pages and exports that fill every buffer.
async fn fill(beside: &Beside, org: OrgId) {
    let wide = "w".repeat(200);
    beside
        .ask(&format!(
            "insert into usage_events (org_id, member_id, occurred_at, received_at, outcome, source, upload_id, uuid,
                 tool_id, operation, session_id, project, git_branch, model)
             select m.org_id, m.member_id, now() + n * interval '1 second', now(), 'success', 'api',
                 gen_random_uuid(), 'filled-' || n, 'builtin:Bash', '{wide}', '{wide}', '{wide}', '{wide}', '{wide}'
             from members m cross join generate_series(1, 20000) n where m.org_id = {}",
            org.0
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h1_a_hostile_token_costs_another_org_no_answer() {
    let lasts = std::env::var("TOOLHUB_HOSTILE_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10);
    // Both come from this machine; a proxy would tell their addresses apart, each with a rate of its own.
    let deployment = Deployment::start_with(&["--trusted-proxy", "127.0.0.1/32"]).await;
    let mallory = deployment.member("mallory").await;
    let good = another_org(&deployment).await;
    let beside = deployment.beside().await;
    // A colleague's events stay when the attacker deletes their own.
    deployment.member("trudy").await;
    fill(&beside, deployment.org).await;
    let url = deployment.server.url();
    let over = Arc::new(AtomicBool::new(false));
    let attacker = Attack {
        http: http(),
        url: url.clone(),
        token: mallory.token.clone(),
        over: over.clone(),
        kept: Arc::default(),
    };
    deployment.server.begin_memory_watch();
    let working = tokio::spawn(work(url.clone(), good, over.clone()));
    let mut attacks = attack(&attacker).await;
    tokio::time::sleep(Duration::from_secs(lasts)).await;
    over.store(true, Ordering::Relaxed);
    let (faults, mut times) = working.await.unwrap();
    attacks.abort_all();
    while attacks.join_next().await.is_some() {}
    let _kept = attacker.kept.clone();
    drop(attacker);
    let ended = Instant::now();
    let http = http();
    until("the attacker's own requests are answered again", async || {
        let asked = http
            .get(format!("{url}/v1/events?limit=1"))
            .bearer_auth(&mallory.token);
        asked
            .send()
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    until("no export is left", async || {
        let left = "select count(*) from pg_stat_activity where datname = current_database() \
                    and application_name like '% export'";
        beside.number(left).await == 0
    })
    .await;
    // Whoever reads nothing still has these connections, but the server does not. Clients close theirs.
    drop(http);
    until("unread connections are closed", async || {
        open_connections(deployment.server.address()) == 0
    })
    .await;
    let recovery = ended.elapsed();
    times.sort_unstable();
    let peak = deployment.server.peak_memory();
    println!(
        "H1: {} answers for the other org, p50 {:.0?}, p99 {:.0?}, {} faults; peak {} MiB; recovered in {recovery:.1?}",
        times.len(),
        times.get(times.len() / 2).copied().unwrap_or_default(),
        times.get(times.len() * 99 / 100).copied().unwrap_or_default(),
        faults.len(),
        peak / MIB
    );
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(!times.is_empty(), "the other org did not work");
    assert!(peak < 512 * MIB, "{} MiB", peak / MIB);
    assert!(recovery < Duration::from_secs(30), "{recovery:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_boards_are_refreshed_while_every_connection_of_the_database_is_taken() {
    let postgres = OwnPostgres::start_with(&[("max_connections", "30")]).await;
    let deployment = Deployment::on(postgres.url(), &[]).await;
    let ann = deployment.member("ann").await;
    let url = deployment.server.url();
    let sender = Sender::to(&url);
    // The server opens what it uses for uploads and reads.
    sender.deliver(&ann.token, &lines(&ids("before", 10))).await;
    let mut taken = Vec::new();
    let limits = SessionLimits {
        statement: Duration::ZERO,
        lock: Duration::ZERO,
        idle_in_transaction: Duration::ZERO,
    };
    while let Ok(session) = Session::connect(postgres.url(), "taken", &limits).await {
        taken.push(session);
    }
    assert!(taken.len() > 5, "{} connections were free", taken.len());
    sender.deliver(&ann.token, &lines(&ids("after", 10))).await;
    let http = http();
    until("the boards hold both uploads", async || {
        let asked = http
            .get(format!("{url}/v1/scores?kind=all"))
            .bearer_auth(&ann.token);
        let Ok(answer) = asked.send().await else {
            return false;
        };
        let scores: serde_json::Value = answer.json().await.unwrap_or_default();
        scores["scores"][0]["events"] == 20
    })
    .await;
}
