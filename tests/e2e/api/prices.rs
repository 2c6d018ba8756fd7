//! `/v1/prices`: the table with the org's own prices, and the models that have none.

use crate::harness::{
    Answer, Caller, Hub,
    process::toolhub,
    sample::{event, with},
};
use model::{
    administration::Audit,
    api::{Events, MAX_OVERRIDES, OrgPrices, Prices},
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::{Value, json};

fn price(model: &str) -> Value {
    json!({ "model": model, "input": 2, "output": 8, "source": "contract 17" })
}

async fn put(caller: &Caller, overrides: &[Value]) -> Answer {
    let body = json!({ "overrides": overrides }).to_string();
    caller
        .send(caller.request(Method::PUT, "/v1/prices").body(body))
        .await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().expect("the header is text")
}

#[tokio::test]
async fn an_uploader_gets_the_table_and_asks_again_for_nothing() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let admin = hub.member_with(&acme, "olga", Role::Admin, Scope::ALL).await;
    let ci = hub.member_with(&acme, "ci", Role::Member, &[Scope::Upload]).await;
    let ask = |tag: Option<String>| {
        let mut request = ci.request(Method::GET, "/v1/prices?unpriced=false");
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        ci.send(request)
    };
    let first = ask(None).await;
    let tag = header(&first, "etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is strong");
    assert!(header(&first, "cache-control").contains("private"));
    let body: Prices = first.ok();
    assert!(body.prices.iter().any(|price| price.model == "claude-opus-4-8"));
    assert_eq!((body.overrides.len(), body.unpriced), (0, None));

    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = ask(Some(known.clone())).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{known}");
        assert_eq!(header(&again, "etag"), tag);
    }
    // Events change nothing in it; the org's own prices do.
    ci.upload(&[with(event("call_1", "cli:make"), &json!({ "model": "ours" }))])
        .await;
    assert_eq!(ask(Some(tag.clone())).await.status, 304);
    let _: OrgPrices = put(&admin, &[price("ours")]).await.ok();
    let changed = ask(Some(tag.clone())).await;
    assert_ne!(header(&changed, "etag"), tag);
    let body: Prices = changed.ok();
    assert_eq!(body.overrides[0].model, "ours");
    assert!(body.changed_at.is_some());
    // Taken back, it is what it was, but for the time.
    let taken_back: OrgPrices = put(&admin, &[]).await.ok();
    assert!(taken_back.overrides.is_empty());
}

#[tokio::test]
async fn the_prices_of_an_org_are_its_own_and_written_down() {
    let hub = Hub::start().await;
    let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
    let admin = hub.member_with(&acme, "olga", Role::Admin, Scope::ALL).await;
    let other = hub.member_with(&rival, "rita", Role::Admin, Scope::ALL).await;
    let _: OrgPrices = put(&admin, &[price("ours"), price("ours-too")]).await.ok();
    let theirs: Prices = other.get("/v1/prices").await.ok();
    assert_eq!(theirs.overrides, []);
    let audit: Audit = admin.get("/v1/audit?action=prices").await.ok();
    let entry = &audit.audit[0];
    assert_eq!(
        (entry.action.as_str(), entry.actor.as_str()),
        ("prices.changed", "olga")
    );
    assert_eq!(
        entry.details,
        json!({ "prices": 2, "models": ["ours", "ours-too"] })
    );
}

#[tokio::test]
async fn prices_that_cannot_be_are_refused_and_change_nothing() {
    let hub = Hub::start().await;
    let admin = hub
        .member_with(&hub.org("acme").await, "olga", Role::Admin, Scope::ALL)
        .await;
    let _: OrgPrices = put(&admin, &[price("ours")]).await.ok();
    let many: Vec<Value> = (0..=MAX_OVERRIDES).map(|n| price(&format!("m{n}"))).collect();
    let refused = [
        vec![with(price("m"), &json!({ "input": -1 }))],
        vec![with(price("m"), &json!({ "output": 1e7 }))],
        vec![with(price("m"), &json!({ "tier": "slow" }))],
        vec![with(price("m"), &json!({ "from": "yesterday" }))],
        vec![with(price("m"), &json!({ "inptu": 1 }))],
        vec![price("")],
        vec![price("*")],
        vec![price(&"m".repeat(500))],
        vec![price("m"), price("M")],
        many,
    ];
    for overrides in refused {
        let problem = put(&admin, &overrides).await.problem(400);
        assert_eq!(problem.code, "invalid_body", "{}", problem.detail);
    }
    let without = admin.request(Method::PUT, "/v1/prices").body("{}");
    assert_eq!(admin.send(without).await.problem(400).code, "invalid_body");
    let unknown = admin.get("/v1/prices?unprised=false").await;
    assert_eq!(unknown.problem(400).code, "invalid_parameter");
    let kept: Prices = admin.get("/v1/prices").await.ok();
    assert_eq!(kept.overrides.len(), 1);
}

#[tokio::test]
async fn models_without_a_price_are_listed_by_calls() {
    let hub = Hub::start().await;
    let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
    let admin = hub.member_with(&acme, "olga", Role::Admin, Scope::ALL).await;
    let other = hub.member(&rival, "rita").await;
    let of = |uuid: &str, fields: Value| with(event(uuid, "cli:make"), &fields);
    let mut events: Vec<Value> = (0..3)
        .map(|n| of(&format!("call_{n}"), json!({ "model": "house-model" })))
        .collect();
    events.extend([
        of("call_3", json!({ "model": "another" })),
        // It has a price: what is missing is what it used.
        of("call_4", json!({ "model": "claude-opus-4-8" })),
        of("call_5", json!({ "model": "free-of-charge", "cost_usd": 0.5 })),
        of("call_6", json!({})),
    ]);
    admin.upload(&events).await;
    let list = |caller: Caller| async move {
        let body: Prices = caller.get("/v1/prices").await.ok();
        let unpriced = body.unpriced.unwrap();
        unpriced
            .into_iter()
            .map(|model| (model.model, model.calls, model.more))
            .collect::<Vec<_>>()
    };
    let entry = |model: &str, calls| (model.to_owned(), calls, false);
    assert_eq!(
        list(admin.clone()).await,
        [entry("house-model", 3), entry("another", 1)]
    );
    assert_eq!(list(other).await, []);
    let _: OrgPrices = put(&admin, &[price("house-*")]).await.ok();
    assert_eq!(list(admin).await, [entry("another", 1)]);
}

/// One response of a model, with one call.
fn log(model: &str) -> String {
    let record = |rest: Value| {
        let line = json!({ "sessionId": "s", "cwd": "/w/api", "version": "2.1.217" });
        with(line, &rest).to_string()
    };
    [
        record(json!({
            "type": "assistant", "uuid": "a", "timestamp": "2026-08-02T03:00:00.000Z",
            "message": {
                "id": "msg_1", "role": "assistant", "model": model, "stop_reason": "tool_use",
                "content": [{ "type": "tool_use", "id": "toolu_priced", "name": "Bash", "input": {} }],
                "usage": { "input_tokens": 1000, "output_tokens": 100 },
            },
        })),
        record(json!({
            "type": "user", "uuid": "b", "timestamp": "2026-08-02T03:00:01.000Z",
            "message": {
                "role": "user",
                "content": [{ "type": "tool_result", "tool_use_id": "toolu_priced", "content": "done" }],
            },
        })),
    ]
    .join("\n")
        + "\n"
}

#[tokio::test]
async fn a_price_that_is_set_later_fills_in_what_had_no_cost() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let admin = hub.member_with(&acme, "olga", Role::Admin, Scope::ALL).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".claude/projects/-w-api");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("s.jsonl"), log("house-model-1")).unwrap();
    std::fs::write(
        home.path().join("ours.toml"),
        "[[price]]\nmodel = \"house-model-1\"\ninput = 2\noutput = 8\nsource = \"contract 17\"\n",
    )
    .unwrap();
    let run = |arguments: &'static [&'static str]| {
        let mut command = toolhub(home.path(), arguments);
        command
            .env("TOOLHUB_URL", &hub.url)
            .env("TOOLHUB_TOKEN", &admin.token);
        async move {
            let output = command.output().await.unwrap();
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            assert!(output.status.success(), "{}", text(output.stderr));
            text(output.stdout)
        }
    };
    let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let costs = || async {
        let events: Events = admin.get("/v1/events").await.ok();
        events
            .events
            .iter()
            .map(|event| event.cost_usd)
            .collect::<Vec<_>>()
    };

    let first = json(run(&["upload", "--json"]).await);
    assert_eq!(first["inserted"], 1, "{first}");
    assert_eq!(
        first["unpriced"],
        json!([{ "model": "house-model-1", "calls": 1, "responses": 1 }])
    );
    assert_eq!(costs().await, [None]);
    assert_eq!(
        first["cost_usd"],
        Value::Null,
        "unknown is not free of charge: {first}"
    );
    let doctor = run(&["doctor"]).await;
    assert!(doctor.contains("house-model-1 (1 call"), "{doctor}");
    let human = run(&["upload"]).await;
    assert!(human.contains("house-model-1 (1 call"), "{human}");

    run(&["prices", "set", "ours.toml"]).await;
    let listed = json(run(&["prices", "--json"]).await);
    assert_eq!(listed["overrides"][0]["model"], "house-model-1");
    assert_eq!(listed, admin.get("/v1/prices").await.ok::<Value>());
    let with_file = json(run(&["prices", "--json", "--prices", "ours.toml"]).await);
    assert_eq!(with_file["overrides"].as_array().unwrap().len(), 2);
    assert_eq!(with_file["source"], listed["source"]);
    let again = json(run(&["upload", "--json"]).await);
    assert_eq!(
        [&again["upgraded"], &again["inserted"], &again["unpriced"]],
        [&json!(1), &json!(0), &json!([])],
        "{again}"
    );
    assert_eq!(costs().await, [Some(0.0028)]);
    let doctor = run(&["doctor"]).await;
    assert!(!doctor.contains("house-model-1"), "{doctor}");

    // A dry run contacts no server: it has only the built-in prices.
    let dry = json(run(&["upload", "--dry-run", "--json"]).await);
    assert_eq!(dry["unpriced"][0]["model"], "house-model-1", "{dry}");
    // A file still stands before the org's price.
    std::fs::write(
        home.path().join("mine.toml"),
        "[[price]]\nmodel = \"house-model-1\"\ninput = 20\noutput = 80\nsource = \"mine\"\n",
    )
    .unwrap();
    let mine = json(run(&["upload", "--prices", "mine.toml", "--json"]).await);
    assert_eq!(mine["cost_usd"], json!(0.028), "{mine}");

    run(&["prices", "unset"]).await;
    let listed = json(run(&["prices", "--json"]).await);
    assert_eq!(listed["overrides"], json!([]));
}
