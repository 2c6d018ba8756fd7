//! The keys of an issuer: found by discovery, kept, and asked for again when a token names one that is not known.
//!
//! Never more often than once in [`Config::oidc_key_pause`](crate::Config::oidc_key_pause), whatever tokens name, and
//! one request at a time. A key that the issuer has withdrawn is believed for an hour at most, and for a day when the
//! issuer cannot be reached.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::InvalidIdentity;
use crate::error::ApiError;

/// How long the issuer may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Greatest answer that is read, in bytes. GitHub's set of keys has about 8,000.
const ANSWER_BYTES: usize = 256 * 1024;
/// How long keys are believed without asking again.
const FRESH: Duration = Duration::from_secs(3_600);
/// How long keys are believed while the issuer does not answer.
const STALE: Duration = Duration::from_secs(24 * 3_600);

/// A public key.
pub(super) struct Key {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Key {
    /// True when the key signed the text. Keys of less than 2,048 bits sign nothing.
    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        RsaPublicKeyComponents {
            n: &self.n,
            e: &self.e,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, text, signature)
        .is_ok()
    }
}

/// The keys of one issuer.
pub(super) struct Keys {
    issuer: String,
    pause: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: HashMap<String, Arc<Key>>,
    /// When they were fetched.
    fetched: Option<Instant>,
    /// When they were last asked for.
    asked: Option<Instant>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Keys {
    pub(super) fn new(issuer: &str, pause: Duration) -> Keys {
        Keys {
            issuer: issuer.to_owned(),
            pause,
            kept: Mutex::default(),
        }
    }

    /// The key of this id.
    pub(super) async fn find(&self, kid: &str) -> Result<Arc<Key>, ApiError> {
        let mut kept = self.kept.lock().await;
        let age = |since: Option<Instant>| since.map(|since| since.elapsed());
        let fresh = age(kept.fetched).is_some_and(|age| age < FRESH);
        if fresh && let Some(key) = kept.keys.get(kid) {
            return Ok(key.clone());
        }
        let mut failure = None;
        if age(kept.asked).is_none_or(|age| age >= self.pause) {
            kept.asked = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    kept.keys = keys;
                    kept.fetched = Some(Instant::now());
                }
                Err(error) => {
                    tracing::warn!(issuer = self.issuer, error, "cannot fetch the keys of an issuer");
                    failure = Some(error);
                }
            }
        }
        let believed = age(kept.fetched).is_some_and(|age| age < STALE);
        match kept.keys.get(kid).filter(|_| believed) {
            Some(key) => Ok(key.clone()),
            None if believed && failure.is_none() => Err(InvalidIdentity::UnknownKey.into()),
            None => Err(ApiError::IssuerUnavailable {
                retry_after: u32::try_from(self.pause.as_secs()).unwrap_or(60).max(1),
                cause: failure.unwrap_or_else(|| "its keys were asked for a moment ago".to_owned()),
            }),
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let http = client()?;
        let issuer = self.issuer.trim_end_matches('/');
        let discovery: Discovery = get(&http, &format!("{issuer}/.well-known/openid-configuration")).await?;
        if discovery.issuer != self.issuer {
            return Err(format!("the issuer calls itself {}", discovery.issuer));
        }
        // An issuer on this machine may speak plainly; any other may not, wherever its document points.
        let plain = issuer.starts_with("http://") && discovery.jwks_uri.starts_with(&format!("{issuer}/"));
        if !discovery.jwks_uri.starts_with("https://") && !plain {
            return Err(format!(
                "the keys are at {}, which is not encrypted",
                discovery.jwks_uri
            ));
        }
        let set: KeySet = get(&http, &discovery.jwks_uri).await?;
        Ok(set.keys.into_iter().filter_map(usable).collect())
    }
}

/// A key that signs with RS256; others are for somebody else.
fn usable(key: Jwk) -> Option<(String, Arc<Key>)> {
    let signs = key.usage.as_deref().is_none_or(|usage| usage == "sig")
        && key.alg.as_deref().is_none_or(|alg| alg == "RS256");
    if key.kty != "RSA" || !signs {
        return None;
    }
    let number = |text: Option<String>| BASE64_URL_SAFE_NO_PAD.decode(text?).ok();
    Some((
        key.kid?,
        Arc::new(Key {
            n: number(key.n)?,
            e: number(key.e)?,
        }),
    ))
}

/// Made when it is needed: a server that exchanges nothing needs no certificates.
fn client() -> Result<reqwest::Client, String> {
    // Whoever comes second finds the same provider installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("toolhub/", env!("CARGO_PKG_VERSION")))
        .timeout(ANSWER)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())
}

async fn get<T: serde::de::DeserializeOwned>(http: &reqwest::Client, url: &str) -> Result<T, String> {
    let failed = |error: reqwest::Error| format!("{url}: {error:?}");
    let mut response = http.get(url).send().await.map_err(failed)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("{url} answers {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            return Err(format!("{url} answers more than {ANSWER_BYTES} bytes"));
        }
    }
    serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
}
