//! Who asks too often is told when to come back; where they come from is not for them to say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "it tells what it measured")]

use std::num::NonZeroU32;

use crate::harness::{Caller, Hub, process::Server};
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
        "addresses further left are not trusted: {first}"
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

/// Asks the real binary with a fresh made-up token from a fresh address each time, over connections that are kept, and
/// answers by how many bytes its memory grew at the most.
async fn flood(requests: u32) -> u64 {
    const CONNECTIONS: u32 = 8;
    let database = testing::TestDatabase::new().await;
    // A client that may give any address, without a rate limit.
    let arguments = [
        "--trusted-proxy",
        "127.0.0.0/8",
        "--address-rate",
        "1000000/1000000",
    ];
    let server = Server::try_start_with(database.url(), &arguments, None)
        .await
        .unwrap();
    server.ready().await;
    let url = server.url();
    let ask = async |http: &reqwest::Client, number: u32| {
        // A token is made of the first 30 bytes or so.
        let seed = format!("{number:030}{:034}", 0);
        let token = Token::from_random(seed.as_bytes()).unwrap();
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
        let request = http
            .get(format!("{url}/v1/me"))
            .bearer_auth(token.reveal())
            .header("x-forwarded-for", address.to_string());
        assert_eq!(request.send().await.unwrap().status(), 401);
    };
    // A client keeps one connection as long as it asks one thing at a time.
    let clients: Vec<reqwest::Client> = (0..CONNECTIONS)
        .map(|_| crate::harness::process::http())
        .collect();
    let share =
        |client: u32, from: u32, to: u32| (from..to).filter(move |number| number % CONNECTIONS == client);
    let all = async |from: u32, to: u32| {
        let each = (0..CONNECTIONS).zip(&clients).map(async |(client, http)| {
            for number in share(client, from, to) {
                ask(http, number).await;
            }
        });
        futures_util::future::join_all(each).await;
    };
    // Pools and caches fill before it counts.
    all(0, 500).await;
    let before = server.begin_memory_watch();
    all(500, requests).await;
    let peak = server.peak_memory();
    println!(
        "{requests} made-up tokens from as many addresses: {} kB before, {} kB at the most",
        before / 1024,
        peak / 1024
    );
    peak.saturating_sub(before)
}

#[tokio::test]
async fn made_up_tokens_from_ever_new_addresses_do_not_fill_the_memory() {
    let grown = flood(4_000).await;
    assert!(grown < 48 << 20, "{grown} bytes for 4,000 requests");
}

/// More addresses than are counted one by one.
#[tokio::test]
#[ignore = "takes minutes"]
async fn full_size_made_up_tokens_from_ever_new_addresses_do_not_fill_the_memory() {
    let grown = flood(100_000).await;
    assert!(grown < 64 << 20, "{grown} bytes for 100,000 requests");
}
