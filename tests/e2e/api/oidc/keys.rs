//! The keys of an issuer: found, rotated, withdrawn, out of reach.

use std::time::Duration;

use crate::harness::issuer::Key;
use serde_json::json;

use super::Stage;

#[tokio::test]
async fn rotated_keys_are_found_and_withdrawn_ones_forgotten() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    stage.exchange(&Key::First.sign(&stage.claims("1"))).await.json();
    assert_eq!(stage.issuer.fetches(), 1);
    stage.exchange(&Key::First.sign(&stage.claims("2"))).await.json();
    assert_eq!(stage.issuer.fetches(), 1, "known keys are not asked for again");
    stage.issuer.publish(&[Key::Second]);
    stage.exchange(&Key::Second.sign(&stage.claims("3"))).await.json();
    assert_eq!(stage.issuer.fetches(), 2);
    let old = stage.exchange(&Key::First.sign(&stage.claims("4"))).await;
    assert_eq!(old.problem(401).code, "identity_key");
}

#[tokio::test]
async fn made_up_key_ids_do_not_make_the_server_ask_the_issuer_again_and_again() {
    let stage = Stage::with_pause(Duration::from_secs(3_600)).await;
    stage.trust(json!({})).await;
    for number in 0..20 {
        let header = json!({ "alg": "RS256", "kid": format!("made-up-{number}") });
        let token = Key::Stranger.sign_with(&header, &stage.claims("1"));
        stage.exchange(&token).await.problem(401);
    }
    assert_eq!(stage.issuer.fetches(), 1);
    stage.exchange(&Key::First.sign(&stage.claims("1"))).await.json();
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_a_temporary_matter() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    stage.issuer.set_down(true);
    let token = Key::First.sign(&stage.claims("1"));
    let answer = stage.exchange(&token).await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.problem(503).code, "issuer_unavailable");
    stage.issuer.set_down(false);
    stage.exchange(&token).await.json();
    stage.issuer.set_down(true);
    stage.exchange(&Key::First.sign(&stage.claims("2"))).await.json();
}
