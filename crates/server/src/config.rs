//! The settings of the server. Every value has a default that suits a team.

use std::{num::NonZeroU32, str::FromStr, time::Duration};

use ipnet::IpNet;

use crate::tls::TlsFiles;

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long after the first new event the scores are refreshed: later events of the same burst share the refresh.
    pub refresh_debounce: Duration,
    /// How often the database is polled for events that came through another process.
    pub refresh_poll: Duration,
    /// How long a client may take to send the headers of a request.
    pub header_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How long a read may take, for a database that does not answer at all. Time that a client asked to wait for a
    /// refresh does not count.
    pub read_timeout: Duration,
    /// How long a write may take once its body is here.
    pub write_timeout: Duration,
    /// Open connections; beyond them only probes are answered.
    pub connections: usize,
    /// Open connections of one address that is not a trusted proxy; more are closed at once.
    pub address_connections: usize,
    /// Answers of one token that are being worked on or sent; more are answered 429.
    pub token_requests: usize,
    /// Those of one org.
    pub org_requests: usize,
    /// How long a connection is kept whose client reads nothing of its answer.
    pub stall_timeout: Duration,
    /// Requests in flight; more are answered 503.
    pub requests: usize,
    /// Bytes that the bodies of all requests in flight may take, as they arrive and as they are decoded; one org has at
    /// most two thirds of it. More are answered 503.
    pub body_memory: usize,
    /// How long `/readyz` answers 503 before connections are refused at shutdown, so that a balancer notices.
    pub drain_grace: Duration,
    /// How long requests in flight may take to finish at shutdown.
    pub drain_limit: Duration,
    /// Accept uploads although the database does not sync its writes to disk; receipts then say `durable: false`.
    pub allow_not_durable: bool,
    /// The database is a server that this program runs itself; metrics say so.
    pub embedded: bool,
    /// The address under which clients reach the server, without a slash at the end. It is the audience of the
    /// identity tokens of CI runs; without it none is exchanged.
    pub public_url: Option<String>,
    /// The certificate with which the server speaks TLS itself; without it a proxy does.
    pub tls: Option<TlsFiles>,
    /// The issuers whose identity tokens are accepted.
    pub oidc_issuers: Vec<Issuer>,
    /// How soon the keys of an issuer are fetched again, when a token names an unknown one.
    pub oidc_key_pause: Duration,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Rate limit of one token.
    pub token_rate: Rate,
    /// Rate limit of one address: all members behind it together.
    pub address_rate: Rate,
    /// How often this process deletes what is older than an org's retention.
    pub retention_interval: Duration,
}

/// A rate limit. Each process counts on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate.
    pub const fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Rate {
        Rate { per_second, burst }
    }
}

/// The rate as `<per second>/<burst>`.
impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Rate, &'static str> {
        let wrong = "a rate is <requests a second>/<requests at once>, for example 200/2000";
        let (per_second, burst) = text.split_once('/').ok_or(wrong)?;
        let number = |text: &str| text.parse().map_err(|_| wrong);
        Ok(Rate::new(number(per_second)?, number(burst)?))
    }
}

/// A CI provider, identified by the claims of its identity tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}

impl Provider {
    /// The word in requests and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Provider::Github => "github",
            Provider::Gitlab => "gitlab",
        }
    }
}

/// An issuer of identity tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The provider whose claims its tokens have.
    pub provider: Provider,
    /// Its address, exactly as in the claim `iss`.
    pub url: String,
}

/// An issuer as `github=https://…` or `gitlab=https://…`. Plain HTTP only from the same machine.
impl FromStr for Issuer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Issuer, &'static str> {
        let wrong = "an issuer is github=https://… or gitlab=https://…";
        let (provider, url) = text.split_once('=').ok_or(wrong)?;
        let provider = match provider {
            "github" => Provider::Github,
            "gitlab" => Provider::Gitlab,
            _ => return Err(wrong),
        };
        let loopback = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
        if url.starts_with("https://") || loopback.iter().any(|start| url.starts_with(start)) {
            Ok(Issuer {
                provider,
                url: url.to_owned(),
            })
        } else {
            Err(wrong)
        }
    }
}

/// `GitHub` and `GitLab` themselves:
/// <https://docs.github.com/en/actions/reference/security/oidc>,
/// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>.
fn well_known_issuers() -> Vec<Issuer> {
    vec![
        Issuer {
            provider: Provider::Github,
            url: "https://token.actions.githubusercontent.com".to_owned(),
        },
        Issuer {
            provider: Provider::Gitlab,
            url: "https://gitlab.com".to_owned(),
        },
    ]
}

const fn rate(per_second: u32, burst: u32) -> Rate {
    match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
        (Some(per_second), Some(burst)) => Rate { per_second, burst },
        _ => panic!("a rate is not zero"),
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            refresh_debounce: Duration::from_millis(200),
            refresh_poll: Duration::from_secs(2),
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(9),
            write_timeout: Duration::from_secs(25),
            connections: 4_096,
            address_connections: 512,
            token_requests: 64,
            org_requests: 256,
            stall_timeout: Duration::from_secs(10),
            requests: 512,
            body_memory: 192 * 1024 * 1024,
            drain_grace: Duration::ZERO,
            drain_limit: Duration::from_secs(25),
            allow_not_durable: false,
            embedded: false,
            public_url: None,
            tls: None,
            oidc_issuers: well_known_issuers(),
            oidc_key_pause: Duration::from_secs(60),
            trusted_proxies: Vec::new(),
            // A million events are 200 batches: neither limit slows a normal upload.
            token_rate: const { rate(200, 2_000) },
            address_rate: const { rate(1_000, 10_000) },
            retention_interval: Duration::from_secs(3_600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_encrypted_or_on_this_machine() {
        assert_eq!(
            "gitlab=https://git.example.org"
                .parse::<Issuer>()
                .unwrap()
                .provider,
            Provider::Gitlab
        );
        assert!("github=http://127.0.0.1:9".parse::<Issuer>().is_ok());
        for wrong in [
            "https://a",
            "github=http://example.org",
            "jenkins=https://a",
            "github=http://127.0.0.1.evil.example",
        ] {
            assert!(wrong.parse::<Issuer>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_read_as_two_numbers() {
        assert_eq!("5/10".parse(), Ok(rate(5, 10)));
        assert!("0/10".parse::<Rate>().is_err() && "5".parse::<Rate>().is_err());
    }
}
