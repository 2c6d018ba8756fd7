//! The keys of an issuer: found by discovery, cached, and fetched again when a token names an unknown one.
//!
//! They are fetched at most once per [`Config::oidc_key_pause`](crate::config::Config::oidc_key_pause), whatever tokens
//! name, and by one request at a time. A key that the issuer has withdrawn is accepted for an hour at most, and for a day
//! while the issuer cannot be reached.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{InvalidIdentity, VerifyError};

/// Timeout of a request to the issuer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest response that is read, in bytes. GitHub's set of keys has about 8,000.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
/// How long cached keys are used before they are fetched again.
const MAX_AGE: Duration = Duration::from_secs(3_600);
/// How long cached keys are used while the issuer does not answer.
const MAX_STALE_AGE: Duration = Duration::from_secs(24 * 3_600);

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
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    keys: HashMap<String, Arc<Key>>,
    /// When they were fetched.
    fetched: Option<Instant>,
    /// When fetching them was last tried.
    tried: Option<Instant>,
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
            cache: Mutex::default(),
        }
    }

    /// The key of this id.
    pub(super) async fn find(&self, kid: &str) -> Result<Arc<Key>, VerifyError> {
        let mut cache = self.cache.lock().await;
        let age = |since: Option<Instant>| since.map(|since| since.elapsed());
        let fresh = age(cache.fetched).is_some_and(|age| age < MAX_AGE);
        if fresh && let Some(key) = cache.keys.get(kid) {
            return Ok(key.clone());
        }
        let mut failure = None;
        if age(cache.tried).is_none_or(|age| age >= self.pause) {
            cache.tried = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    cache.keys = keys;
                    cache.fetched = Some(Instant::now());
                }
                Err(error) => {
                    tracing::warn!(issuer = self.issuer, error, "cannot fetch the keys of an issuer");
                    failure = Some(error);
                }
            }
        }
        let is_usable = age(cache.fetched).is_some_and(|age| age < MAX_STALE_AGE);
        match cache.keys.get(kid).filter(|_| is_usable) {
            Some(key) => Ok(key.clone()),
            None if is_usable && failure.is_none() => Err(InvalidIdentity::UnknownKey.into()),
            None => Err(VerifyError::IssuerUnavailable {
                retry_after: u32::try_from(self.pause.as_secs()).unwrap_or(60).max(1),
                cause: failure.unwrap_or_else(|| "its keys were fetched a moment ago".to_owned()),
            }),
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let http = client()?;
        let issuer = self.issuer.trim_end_matches('/');
        let discovery: Discovery = get(&http, &format!("{issuer}/.well-known/openid-configuration")).await?;
        if discovery.issuer != self.issuer {
            return Err(format!(
                "the discovery document names the issuer {}",
                discovery.issuer
            ));
        }
        // Plain HTTP is accepted only for keys of an issuer that is itself configured with plain HTTP, which means loopback.
        let plain = issuer.starts_with("http://") && discovery.jwks_uri.starts_with(&format!("{issuer}/"));
        if !discovery.jwks_uri.starts_with("https://") && !plain {
            return Err(format!(
                "the keys are at {}, which is not https",
                discovery.jwks_uri
            ));
        }
        let set: KeySet = get(&http, &discovery.jwks_uri).await?;
        Ok(set.keys.into_iter().filter_map(usable).collect())
    }
}

/// A key that signs with RS256; others are left out.
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

/// Created on first use: a server that exchanges no tokens needs no certificates.
fn client() -> Result<reqwest::Client, String> {
    // An error means that the same provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("toolhub/", env!("CARGO_PKG_VERSION")))
        .timeout(REQUEST_TIMEOUT)
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
        if body.len() > MAX_RESPONSE_BYTES {
            return Err(format!("{url} answers more than {MAX_RESPONSE_BYTES} bytes"));
        }
    }
    serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
}
