//! Checking the identity token of a CI run (OpenID Connect Core 1.0, RFC 7519, RFC 8725).
//!
//! One algorithm is known, RS256, and it is not the token that chooses it: there is no code for `none` or for keys
//! that are shared secrets. The header and the issuer are read before the signature is checked, and are used for
//! nothing but to find the key; everything else is read afterwards.

mod claims;
mod keys;

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use store::publishers::Run;

use self::keys::Keys;
use crate::{Config, config::Issuer, error::ApiError};

/// How far the clocks of issuer and server may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// Greatest identity token, in bytes. GitHub's and GitLab's have about 2,000.
const GREATEST_BYTES: usize = 16 * 1024;

/// Why an identity token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidIdentity {
    #[error(
        "the server has no public address, so no identity can be meant for it; the operator sets --public-url"
    )]
    NotConfigured,
    #[error("not an identity token: {0}")]
    Malformed(&'static str),
    #[error("the identity token is not signed with RS256")]
    Algorithm,
    #[error(
        "the server does not know who issued the identity token; the operator adds an issuer with --oidc-issuer"
    )]
    Issuer,
    #[error("the issuer has no such key")]
    UnknownKey,
    #[error("the signature is not the issuer's")]
    Signature,
    #[error("the identity token is meant for somebody else; ask for one with the audience `{0}`")]
    Audience(String),
    #[error("the identity token has expired; ask for a fresh one")]
    Expired,
    #[error("the identity token is not valid yet; the clocks differ by more than a minute")]
    NotYetValid,
    #[error(
        "runs for the event `{0}` are refused: they run with the rights of the repository on what strangers wrote"
    )]
    Event(String),
}

impl InvalidIdentity {
    /// Stable, for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            InvalidIdentity::NotConfigured => "identity_not_configured",
            InvalidIdentity::Malformed(_) => "identity_malformed",
            InvalidIdentity::Algorithm => "identity_algorithm",
            InvalidIdentity::Issuer => "identity_issuer",
            InvalidIdentity::UnknownKey => "identity_key",
            InvalidIdentity::Signature => "identity_signature",
            InvalidIdentity::Audience(_) => "identity_audience",
            InvalidIdentity::Expired => "identity_expired",
            InvalidIdentity::NotYetValid => "identity_not_yet_valid",
            InvalidIdentity::Event(_) => "identity_event",
        }
    }
}

/// Checks identity tokens. Keeps the keys of each issuer.
pub(crate) struct Verifier {
    audience: Option<String>,
    issuers: HashMap<String, (Issuer, Keys)>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

/// The claims that every issuer makes.
#[derive(Deserialize)]
struct Registered {
    aud: Audience,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Verifier {
    pub(crate) fn new(config: &Config) -> Verifier {
        let issuers = config
            .oidc_issuers
            .iter()
            .map(|issuer| {
                let keys = Keys::new(&issuer.url, config.oidc_key_pause);
                (issuer.url.clone(), (issuer.clone(), keys))
            })
            .collect();
        let audience = config
            .public_url
            .as_ref()
            .map(|url| url.trim_end_matches('/').to_owned());
        Verifier { audience, issuers }
    }

    /// What a token says about its run, once everything about the token itself is right.
    ///
    /// # Errors
    /// [`ApiError::Identity`] when it is not believed, [`ApiError::IssuerUnavailable`] when that cannot be known now.
    pub(crate) async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Run, ApiError> {
        let audience = self.audience.as_ref().ok_or(InvalidIdentity::NotConfigured)?;
        if token.len() > GREATEST_BYTES {
            return Err(InvalidIdentity::Malformed("it is longer than 16 KiB").into());
        }
        let (signed, signature) = token
            .rsplit_once('.')
            .ok_or(InvalidIdentity::Malformed("it has no three parts"))?;
        let (header, payload) = signed
            .split_once('.')
            .filter(|(_, payload)| !payload.contains('.'))
            .ok_or(InvalidIdentity::Malformed("it has no three parts"))?;
        let header: Header = json(&decode(header)?, "its header cannot be read")?;
        if header.alg != "RS256" {
            return Err(InvalidIdentity::Algorithm.into());
        }
        if header.crit.is_some() {
            return Err(InvalidIdentity::Malformed("its header asks for extensions").into());
        }
        let kid = header
            .kid
            .ok_or(InvalidIdentity::Malformed("its header names no key"))?;
        let payload = decode(payload)?;
        let Unverified { iss } = json(&payload, "it names no issuer")?;
        let (issuer, keys) = self.issuers.get(&iss).ok_or(InvalidIdentity::Issuer)?;
        let key = keys.find(&kid).await?;
        if !key.verifies(signed.as_bytes(), &decode(signature)?) {
            return Err(InvalidIdentity::Signature.into());
        }
        let registered: Registered = json(&payload, "a registered claim is missing")?;
        let meant_for_us = match &registered.aud {
            Audience::One(one) => one.trim_end_matches('/') == audience,
            Audience::Several(several) => several.iter().any(|one| one.trim_end_matches('/') == audience),
        };
        if !meant_for_us {
            return Err(InvalidIdentity::Audience(audience.clone()).into());
        }
        let expires_at = time(registered.exp)? + LEEWAY;
        if now >= expires_at {
            return Err(InvalidIdentity::Expired.into());
        }
        let valid_from = time(registered.nbf.unwrap_or(registered.iat).max(registered.iat))?;
        if now < valid_from - LEEWAY {
            return Err(InvalidIdentity::NotYetValid.into());
        }
        if registered.jti.is_empty() || registered.jti.len() > 256 {
            return Err(InvalidIdentity::Malformed("its id is empty or too long").into());
        }
        Ok(claims::read(issuer, &payload, registered.jti, expires_at)?)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, InvalidIdentity> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| InvalidIdentity::Malformed("a part is not base64url"))
}

fn json<'j, T: Deserialize<'j>>(bytes: &'j [u8], what: &'static str) -> Result<T, InvalidIdentity> {
    serde_json::from_slice(bytes).map_err(|_| InvalidIdentity::Malformed(what))
}

fn time(seconds: i64) -> Result<DateTime<Utc>, InvalidIdentity> {
    // Far enough in the future for anybody, and no overflow in the sums that follow.
    DateTime::from_timestamp(seconds, 0)
        .filter(|time| time.timestamp().abs() < 100_000_000_000)
        .ok_or(InvalidIdentity::Malformed("a time is none"))
}
