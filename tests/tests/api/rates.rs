//! Who asks too often is told when to come back; where they come from is not for them to say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;

use e2e::{Caller, Hub};
use model::token::Token;
use reqwest::Method;
use server::{Config, config::Rate};

fn rate(per_second: u32, burst: u32) -> Rate {
    Rate::new(
        NonZeroU32::new(per_second).unwrap(),
        NonZeroU32::new(burst).unwrap(),
    )
}

/// Asks until the answer is 429, and says after how many.
async fn asks(caller: &Caller, forwarded: impl Fn(usize) -> String) -> usize {
    for number in 0..200 {
        let request = caller
            .request(Method::GET, "/v1/limits")
            .header("x-forwarded-for", forwarded(number));
        let answer = caller.send(request).await;
        if answer.status == 429 {
            let wait = answer.headers["retry-after"]
                .to_str()
                .unwrap()
                .parse::<u32>()
                .unwrap();
            assert!(wait >= 1);
            assert_eq!(answer.problem(429).code, "too_many_requests");
            return number;
        }
    }
    panic!("never refused");
}

#[tokio::test]
async fn one_tokens_flood_is_refused_and_another_token_is_served() {
    let hub = Hub::start_with(Config {
        token_rate: rate(1, 20),
        ..Config::default()
    })
    .await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let mut refused = 0;
    for _ in 0..40 {
        refused += u32::from(ann.get("/v1/me").await.status == 429);
    }
    assert!(refused >= 10, "{refused}");
    assert_eq!(bob.get("/v1/me").await.status, 200);
    assert_eq!(hub.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let strict = Config {
        address_rate: rate(1, 20),
        ..Config::default()
    };
    let hub = Hub::start_with(strict.clone()).await;
    let caller = hub.stranger("none");
    let spoofed = asks(&caller, |number| format!("198.51.100.{number}")).await;
    assert!((20..60).contains(&spoofed), "{spoofed}");
    assert_eq!(hub.get("/livez").await.status, 200, "probes are never refused");

    let trusting = Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..strict
    };
    let hub = Hub::start_with(trusting).await;
    let caller = hub.stranger("none");
    let one = asks(&caller, |_| "6.6.6.6, 198.51.100.1".to_owned()).await;
    assert!((20..60).contains(&one), "{one}");
    let other = caller
        .request(Method::GET, "/v1/limits")
        .header("x-forwarded-for", "198.51.100.2");
    assert_eq!(caller.send(other).await.status, 200);
    let first = asks(&caller, |number| format!("203.0.113.{number}, 198.51.100.3")).await;
    assert!(
        (20..60).contains(&first),
        "what stands further left is not believed: {first}"
    );
}

#[tokio::test]
async fn guessing_tokens_uses_an_address_up_twenty_times_as_fast() {
    let hub = Hub::start_with(Config {
        address_rate: rate(1, 200),
        ..Config::default()
    })
    .await;
    let mut guesses = 0;
    for seed in 0..60 {
        let guess = hub.stranger(Token::from_random(&[seed; 64]).unwrap().reveal());
        match guess.get("/v1/me").await.status.as_u16() {
            401 => guesses += 1,
            429 => break,
            other => panic!("{other}"),
        }
    }
    assert!((5..30).contains(&guesses), "{guesses}");
}
