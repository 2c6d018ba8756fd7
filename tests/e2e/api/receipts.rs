//! The receipt law: inserted + upgraded + duplicate + conflict + rejected = received, whatever is sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{Caller, Hub, sample};
use model::Receipt;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

/// One kind of event in a batch.
#[derive(Clone, Debug)]
enum Item {
    /// An event with an id out of few, so that it is often sent again.
    Known { id: u8, tool: u8, fact: u8 },
    /// An event without an id.
    Anonymous,
    /// Something that cannot be stored.
    Bad(u8),
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        6 => (0..12_u8, 0..10_u8, 0..4_u8).prop_map(|(id, tool, fact)| Item::Known { id, tool, fact }),
        1 => Just(Item::Anonymous),
        2 => (0..5_u8).prop_map(Item::Bad),
    ]
}

/// A batch: who sends it, in which framing, and what is in it.
fn batch() -> impl Strategy<Value = (bool, bool, Vec<Item>)> {
    (
        any::<bool>(),
        any::<bool>(),
        proptest::collection::vec(item(), 0..25),
    )
}

fn written(case: usize, item: &Item) -> String {
    let event = |uuid: Value, tool: &str| json!({ "uuid": uuid, "tool_id": tool, "outcome": "success", "occurred_at": "2026-01-02T03:04:05Z" });
    match item {
        Item::Known { id, tool, fact } => {
            // Mostly the same tool for the same id.
            let tool = if *tool == 0 { "cli:other" } else { "cli:make" };
            let base = event(json!(format!("call_{case}_{id}")), tool);
            let facts = match fact {
                0 => json!({ "outcome": "abandoned", "reason": "unanswered" }),
                1 => json!({ "duration_ms": 5 }),
                2 => json!({ "project": "api", "cost_usd": 0.5 }),
                _ => json!({}),
            };
            sample::with(base, &facts).to_string()
        }
        Item::Anonymous => event(Value::Null, "cli:make").to_string(),
        Item::Bad(kind) => match kind {
            0 => "{\"tool_id\":".to_owned() + "\"cli:make\",}",
            1 => "true".to_owned(),
            2 => event(json!("REDACTED"), "cli:make").to_string(),
            3 => event(json!(format!("call_{case}_0")), "make").to_string(),
            _ => event(json!("x".repeat(129)), "cli:make").to_string(),
        },
    }
}

async fn send(caller: &Caller, ndjson: bool, items: &[String]) -> Receipt {
    let answer = if ndjson {
        caller
            .post(
                "application/x-ndjson",
                items.iter().map(|item| format!("{item}\n")).collect::<String>(),
            )
            .await
    } else {
        caller
            .post(
                "application/json",
                format!("{{\"events\":[{}]}}", items.join(",")),
            )
            .await
    };
    answer.receipt()
}

#[test]
fn the_numbers_of_a_receipt_add_up_and_are_those_of_the_database() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (hub, members) = runtime.block_on(async {
        let hub = Hub::start().await;
        let acme = hub.org("acme").await;
        let members = [hub.member(&acme, "ann").await, hub.member(&acme, "bob").await];
        (hub, members)
    });
    let case = std::cell::Cell::new(0_usize);
    let rows = || async {
        let mut keys = BTreeSet::new();
        let mut path = "/v1/events?limit=500".to_owned();
        loop {
            let page: model::api::Events = members[0].get(&path).await.ok();
            keys.extend(page.events.into_iter().map(|event| (event.member, event.uuid)));
            let Some(cursor) = page.next_cursor else {
                return keys;
            };
            path = format!("/v1/events?limit=500&cursor={cursor}");
        }
    };
    let mut runner = TestRunner::new(Config {
        cases: 32,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&proptest::collection::vec(batch(), 1..5), |batches| {
        case.set(case.get() + 1);
        runtime.block_on(async {
            let mut before = rows().await;
            let mut bad_before: BTreeMap<usize, u64> = BTreeMap::new();
            for (at, (of_bob, ndjson, items)) in batches.iter().enumerate() {
                let lines: Vec<String> = items.iter().map(|item| written(case.get(), item)).collect();
                let receipt = send(&members[usize::from(*of_bob)], *ndjson, &lines).await;
                prop_assert_eq!(receipt.received, items.len() as u64);
                let bad = items.iter().filter(|item| matches!(item, Item::Bad(_))).count() as u64;
                prop_assert_eq!(receipt.rejected, bad);
                for rejection in &receipt.rejections {
                    prop_assert!(matches!(items[rejection.index], Item::Bad(_)));
                }
                bad_before.insert(at, bad);
                let after = rows().await;
                prop_assert_eq!((after.len() - before.len()) as u64, receipt.inserted);
                prop_assert!(after.is_superset(&before));
                before = after;
            }
            // Everything once more: nothing is new but what has no id.
            for (at, (of_bob, ndjson, items)) in batches.iter().enumerate() {
                let lines: Vec<String> = items.iter().map(|item| written(case.get(), item)).collect();
                let receipt = send(&members[usize::from(*of_bob)], *ndjson, &lines).await;
                let anonymous = items
                    .iter()
                    .filter(|item| matches!(item, Item::Anonymous))
                    .count() as u64;
                prop_assert_eq!(
                    (receipt.inserted, receipt.upgraded, receipt.rejected),
                    (anonymous, 0, bad_before[&at])
                );
            }
            Ok(())
        })
    });
    drop(hub);
    result.unwrap();
}
