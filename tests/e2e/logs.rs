//! No log contains a token: neither that of the server in this process with every level of every crate enabled, nor
//! those of the real binary, server and commands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

use crate::harness::{
    Answer, Caller, Hub,
    issuer::{CiIssuer, Key},
    process::{Server, toolhub},
    sample::{event, now},
};
use model::{
    team::{Role, Scope},
    token::Token,
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testing::TestDatabase;
use tokio::io::AsyncWriteExt;
use tracing_subscriber::{filter::Targets, prelude::*};

async fn call(caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
    caller
        .send(caller.request(method, path).body(body.to_string()))
        .await
}

async fn made(caller: &Caller, path: &str, body: Value) -> Value {
    let answer = call(caller, Method::POST, path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// Sends telemetry, valid and damaged, with a text in every place that is not read; answers the text.
async fn push_telemetry(caller: &Caller) -> Option<String> {
    let secret = "xyzzy-planted-secret".to_owned();
    let attributes: Vec<Value> = [
        "tool_input",
        "error",
        "prompt",
        "user.email",
        "tool_parameters",
        "output",
    ]
    .map(|key| json!({ "key": key, "value": { "stringValue": secret } }))
    .into_iter()
    .chain(
        [
            ("event.name", "tool_result"),
            ("tool_name", "Bash"),
            ("tool_use_id", "toolu_1a"),
            ("success", "true"),
        ]
        .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })),
    )
    .collect();
    let request = json!({ "resourceLogs": [{ "scopeLogs": [{
        "scope": { "name": "com.anthropic.claude_code.events" },
        "logRecords": [{ "timeUnixNano": now().timestamp_nanos_opt().unwrap().to_string(),
                         "body": { "stringValue": secret }, "attributes": attributes }],
    }] }] })
    .to_string();
    for (body, status) in [
        (request.clone(), 200),
        (request[..request.len() - 1].to_owned(), 400),
    ] {
        let sent = caller.request(Method::POST, "/otlp/v1/logs");
        let answer = caller
            .send(sent.header("content-type", "application/json").body(body))
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    Some(secret)
}

/// Everything that is logged, at every level, by every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A process has one log, and other tests share this process: the run has one of its own.
#[tokio::test]
async fn no_token_is_in_the_log_of_a_whole_run() {
    let run = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logs::a_whole_run_with_everything_logged", "--ignored"])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && text.contains("1 passed"), "{text}");
}

/// Made, used, rotated, mistyped, revoked, exchanged, sent where it does not belong. In the log there is not one token.
#[tokio::test]
#[ignore = "run by another test as a process of its own"]
async fn a_whole_run_with_everything_logged() {
    let log = Log::default();
    let writer = log.clone();
    // The driver logs the parameters of statements below `info`, and the program never lets it (`talk::log_filter`).
    let everything = Targets::new()
        .with_default(tracing::Level::TRACE)
        .with_target("tokio_postgres", tracing::Level::INFO);
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    tracing_subscriber::registry()
        .with(layer.with_filter(everything))
        .init();
    let issuer = CiIssuer::start().await;
    let hub = Hub::start_with(server::Config {
        public_url: Some("https://toolhub.example".to_owned()),
        oidc_issuers: vec![format!("github={}", issuer.url).parse().unwrap()],
        ..server::Config::default()
    })
    .await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let ann = hub.member(&acme, "ann").await;
    let mut secrets = vec![olga.token.clone(), ann.token.clone()];
    secrets.extend(push_telemetry(&ann).await);
    ann.upload(&[event("call_1", "cli:make")]).await;
    let token = made(&olga, "/v1/tokens", json!({ "name": "x", "member": "ann" })).await;
    secrets.push(token["token"].as_str().unwrap().to_owned());
    let path = format!("/v1/tokens/{}/rotate", token["token_id"].as_str().unwrap());
    secrets.push(
        made(&olga, &path, json!({})).await["token"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    let invited = made(&olga, "/v1/members", json!({ "handle": "bob", "invite": true })).await;
    secrets.push(invited["invitation"]["token"].as_str().unwrap().to_owned());
    let mistyped = format!("{}x", &ann.token[..ann.token.len() - 1]);
    hub.stranger(&mistyped).get("/v1/me").await;
    secrets.push(mistyped);
    // Where a token does not belong.
    ann.get(&format!("/v1/events?member={}", ann.token))
        .await
        .problem(404);
    ann.get(&format!("/v1/scores/{}", ann.token)).await.problem(404);
    call(&ann, Method::POST, "/v1/tokens", json!({ "nome": ann.token }))
        .await
        .problem(400);
    let publisher = json!({ "provider": "github", "repository": "acme/api", "owner_id": "7" });
    made(&olga, "/v1/trusted-publishers", publisher).await;
    let at = now().timestamp();
    let identity = Key::First.sign(&json!({
        "iss": issuer.url, "aud": "https://toolhub.example", "iat": at, "exp": at + 300, "jti": "1",
        "repository": "acme/api", "repository_owner_id": "7", "event_name": "push", "ref": "refs/heads/main",
        "workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main", "run_id": "1",
    }));
    for expected in [200, 403] {
        let exchange = hub
            .request(Method::POST, "/v1/oidc/exchange")
            .body(json!({ "token": identity }).to_string());
        let answer = ann.send(exchange).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
        if let Some(token) = serde_json::from_str::<Value>(&answer.text).unwrap()["token"].as_str() {
            secrets.push(token.to_owned());
        }
    }
    secrets.push(identity.rsplit('.').next().unwrap().to_owned());
    call(&ann, Method::DELETE, "/v1/tokens/current", json!({})).await;
    ann.get("/v1/me").await.problem(401);
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        log.contains("request") && log.contains("/v1/tokens"),
        "the run was logged"
    );
    for secret in &secrets {
        let at = log.find(secret.as_str());
        assert_eq!(
            at.map(|at| &log[at.saturating_sub(300)..at]),
            None,
            "a secret is in the log after this"
        );
    }
}

/// Everything that the commands of a run said, but for the tokens that they were asked for.
struct Run {
    server: Server,
    database: TestDatabase,
    homes: tempfile::TempDir,
    said: String,
    secrets: Vec<String>,
}

impl Run {
    /// Runs a command in the home of a person; its exit code and standard output.
    async fn run(&mut self, who: &str, arguments: &[&str], input: &str) -> (i32, String) {
        let home = self.homes.path().join(who);
        std::fs::create_dir_all(&home).unwrap();
        let mut command = toolhub(&home, arguments);
        command
            .env("TOOLHUB_LOG", "trace")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1");
        match arguments[0] {
            "admin" => command.env("TOOLHUB_DATABASE_URL", self.database.url()),
            _ => command.env("TOOLHUB_URL", self.server.url()),
        };
        if who == "ci" {
            command.env(client::identity::VARIABLE, input);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read it may be gone by now.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        self.said.push_str(&format!(
            "{arguments:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
        (output.status.code().unwrap(), answer)
    }

    /// Runs a command that succeeds; what it answers is searched as well.
    async fn does(&mut self, who: &str, arguments: &[&str]) -> String {
        let (code, answer) = self.run(who, arguments, "").await;
        assert_eq!(code, 0, "{arguments:?}: {answer}{}", self.said);
        self.said.push_str(&answer);
        answer
    }

    /// Runs a command that answers a token, alone.
    async fn makes(&mut self, who: &str, arguments: &[&str]) -> String {
        let (code, answer) = self.run(who, arguments, "").await;
        assert_eq!(code, 0, "{arguments:?}: {}", self.said);
        let token = Token::parse(answer.trim_end()).unwrap().reveal().to_owned();
        self.secrets.push(token.clone());
        token
    }

    async fn login(&mut self, who: &str, token: &str) -> i32 {
        self.secrets.push(token.to_owned());
        let (code, answer) = self.run(who, &["login", "--with-token"], token).await;
        self.said.push_str(&answer);
        code
    }

    async fn id(&mut self, who: &str, name: &str) -> String {
        let listed: Value =
            serde_json::from_str(&self.does(who, &["tokens", "list", "--json"]).await).unwrap();
        let mut tokens = listed["tokens"].as_array().unwrap().iter();
        let token = tokens.find(|token| token["name"] == name).unwrap();
        token["token_id"].as_str().unwrap().to_owned()
    }

    /// The contents of the homes, except the credentials.
    fn files(&self, folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                self.files(&entry.path(), text);
            } else if entry.file_name() != "credentials.toml" {
                text.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()));
            }
        }
    }
}

/// The same with the real binary: the server logs all it can, and every act on tokens comes from the command line.
#[tokio::test]
async fn no_command_and_no_server_says_a_token_that_it_was_not_asked_for() {
    const AUDIENCE: &str = "https://toolhub.example";
    let database = TestDatabase::new().await;
    let issuer = CiIssuer::start().await;
    let github = format!("github={}", issuer.url);
    let arguments = ["--public-url", AUDIENCE, "--oidc-issuer", github.as_str()];
    let server = Server::try_start_with(database.url(), &arguments, Some("trace"))
        .await
        .unwrap();
    server.ready().await;
    let mut run = Run {
        server,
        database,
        homes: tempfile::tempdir().unwrap(),
        said: String::new(),
        secrets: Vec::new(),
    };
    run.does("operator", &["admin", "org", "create", "acme"]).await;
    run.does(
        "operator",
        &[
            "admin", "member", "add", "olga", "--org", "acme", "--role", "owner",
        ],
    )
    .await;
    let create = ["admin", "token", "create", "--org", "acme", "--member", "olga"];
    let owner = run
        .makes(
            "operator",
            &[create.as_slice(), &["--scope", "upload,read,admin"]].concat(),
        )
        .await;
    assert_eq!(run.login("olga", &owner).await, 0);
    let invitation = run.makes("olga", &["members", "add", "bob", "--invite"]).await;
    assert_eq!(run.login("bob", &invitation).await, 0);
    assert_eq!(run.login("bob", &invitation).await, 4, "it was exchanged");
    let kept =
        std::fs::read_to_string(run.homes.path().join("bob/.config/toolhub/credentials.toml")).unwrap();
    let kept: Vec<&str> = kept.split('"').filter(|text| text.starts_with("thb_")).collect();
    assert_eq!(kept.len(), 1);
    run.secrets.push(kept[0].to_owned());

    // Made, rotated, ended, mistyped, unknown, as an argument and in the place of something else.
    run.makes("bob", &["tokens", "create", "laptop"]).await;
    let laptop = run.id("bob", "laptop").await;
    run.makes("bob", &["tokens", "rotate", &laptop, "--overlap", "1"])
        .await;
    run.does("bob", &["tokens", "revoke", &laptop]).await;
    let (code, json) = run.run("bob", &["tokens", "create", "json", "--json"], "").await;
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&json).unwrap();
    run.secrets.push(json["token"].as_str().unwrap().to_owned());
    let unknown = Token::from_random(&[9; 64]).unwrap().reveal().to_owned();
    assert_eq!(run.login("bob", &unknown).await, 4);
    let mistyped = format!("{}?", &unknown[..unknown.len() - 1]);
    assert_eq!(run.login("bob", &mistyped).await, 2);
    for token in [&unknown, &mistyped] {
        // What stands on the command line is the caller's own; what comes of it is looked at.
        let before = run.said.len();
        for command in ["whoami", "upload", "doctor"] {
            let (code, answer) = run.run("bob", &[command, "--token", token], "").await;
            assert_ne!(code, 0, "{command}");
            run.said.push_str(&answer);
        }
        let own = format!("{:?}", ["--token", token]);
        let tail = run.said.split_off(before);
        run.said.push_str(&tail.replace(own.trim_matches(['[', ']']), ""));
    }
    let reads = [
        "whoami",
        "tokens list --all",
        "audit --json --limit 500",
        "members list --json",
        "me export",
    ];
    for command in reads {
        let arguments: Vec<&str> = command.split(' ').collect();
        run.does("olga", &arguments).await;
    }

    // CI: exchanged, replayed, and a signature that is not the issuer's.
    run.does(
        "olga",
        &[
            "trusted-publishers",
            "add",
            "acme/api",
            "--owner-id",
            "7",
            "--issuer",
            &issuer.url,
        ],
    )
    .await;
    let at = now().timestamp();
    let claims = json!({
        "iss": issuer.url, "aud": AUDIENCE, "iat": at, "exp": at + 300, "jti": "1",
        "repository": "acme/api", "repository_owner_id": "7", "event_name": "push", "ref": "refs/heads/main",
        "workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main", "run_id": "1",
    });
    let log = run.homes.path().join("ci/.claude/projects/-work-api");
    std::fs::create_dir_all(&log).unwrap();
    let call = r#"{"type":"assistant","sessionId":"s","cwd":"/w","timestamp":"2026-01-02T03:04:05.000Z","message":{"id":"m","content":[{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}]}}"#;
    std::fs::write(log.join("s.jsonl"), format!("{call}\n")).unwrap();
    for (identity, expected) in [
        (Key::First.sign(&claims), 0),
        (Key::First.sign(&claims), 4),
        (
            Key::Stranger.sign_with(&json!({ "alg": "RS256", "kid": "first" }), &claims),
            4,
        ),
    ] {
        run.secrets.push(identity.rsplit('.').next().unwrap().to_owned());
        let (code, answer) = run.run("ci", &["upload", "--json"], &identity).await;
        assert_eq!(code, expected, "{answer}{}", run.said);
        run.said.push_str(&answer);
    }
    run.does("bob", &["logout"]).await;
    run.does("olga", &["logout"]).await;
    assert_eq!(run.login("olga", &owner).await, 4, "logging out has revoked it");

    let mut said = run.server.log();
    assert!(
        said.contains("TRACE") && said.contains("/v1/oidc/exchange") && said.contains("/v1/tokens"),
        "the server logged all it could: {}",
        &said[..said.len().min(2_000)]
    );
    said.push_str(&run.said);
    run.files(run.homes.path(), &mut said);
    assert!(run.secrets.len() >= 14, "{}", run.secrets.len());
    for secret in &run.secrets {
        let hash = model::text::hex(&Sha256::digest(secret));
        for text in [secret.as_str(), &hash] {
            let at = said.find(text);
            assert_eq!(
                at.map(|at| &said[at.saturating_sub(300)..at]),
                None,
                "a secret was said after this"
            );
        }
    }
}
