//! Checking the identity token of a CI run (OpenID Connect Core 1.0, RFC 7519, RFC 8725).
//!
//! The only algorithm is RS256, whatever the token asks for: there is no code for `none` or for shared secrets. The header and the issuer are read before the signature is checked, and are used
//! only to find the key; everything else is read afterwards.

mod claims;
mod keys;

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use store::publishers::Run;

use self::keys::Keys;
use crate::config::{Config, Issuer};

/// How far the clocks of issuer and server may differ.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// Longest identity token, in bytes. GitHub's and GitLab's have about 2,000.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why an identity token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidIdentity {
    #[error(
        "the server has no public address, so an identity token cannot name it as its audience; the operator sets --public-url"
    )]
    NotConfigured,
    #[error("not an identity token: {0}")]
    Malformed(&'static str),
    #[error("the identity token is not signed with RS256")]
    Algorithm,
    #[error("unknown issuer of the identity token; the operator adds issuers with --oidc-issuer")]
    Issuer,
    #[error("the issuer has no such key")]
    UnknownKey,
    #[error("the signature is not the issuer's")]
    Signature,
    #[error("audience mismatch; request an identity token for the audience `{0}`")]
    Audience(String),
    #[error("the identity token has expired; request a new one")]
    Expired,
    #[error("the identity token is not valid yet; the clocks differ by more than a minute")]
    NotYetValid,
    #[error(
        "runs for the event `{0}` are refused: they have the rights of the repository and can run code from outside it"
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

/// Why an identity token could not be verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// The token is not acceptable.
    #[error(transparent)]
    Invalid(#[from] InvalidIdentity),
    /// The keys of the issuer are not available at the moment.
    #[error("the issuer's keys are not available: {cause}")]
    IssuerUnavailable {
        /// Seconds until the issuer is asked again.
        retry_after: u32,
        /// For the log.
        cause: String,
    },
}

/// Verifies identity tokens. Caches the keys of each issuer.
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
    /// [`VerifyError::Invalid`] when it is not accepted, [`VerifyError::IssuerUnavailable`] when that cannot be decided now.
    pub(crate) async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Run, VerifyError> {
        let audience = self.audience.as_ref().ok_or(InvalidIdentity::NotConfigured)?;
        let token = Parts::of(token)?;
        let header: Header = json(&decode(token.header)?, "its header cannot be read")?;
        let kid = header.key_id()?;
        let payload = decode(token.payload)?;
        let Unverified { iss } = json(&payload, "it names no issuer")?;
        let (issuer, keys) = self.issuers.get(&iss).ok_or(InvalidIdentity::Issuer)?;
        let key = keys.find(&kid).await?;
        if !key.verifies(token.signed.as_bytes(), &decode(token.signature)?) {
            return Err(InvalidIdentity::Signature.into());
        }
        let registered: Registered = json(&payload, "a registered claim is missing")?;
        let expires_at = registered.check(audience, now)?;
        Ok(claims::read(issuer, &payload, registered.jti, expires_at)?)
    }
}

/// The parts of a signed token (RFC 7515, section 7.1).
struct Parts<'t> {
    header: &'t str,
    payload: &'t str,
    /// Header and payload: what the signature is of.
    signed: &'t str,
    signature: &'t str,
}

impl Parts<'_> {
    fn of(token: &str) -> Result<Parts<'_>, InvalidIdentity> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidIdentity::Malformed("it is longer than 16 KiB"));
        }
        let malformed = InvalidIdentity::Malformed("it does not have three parts");
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed.clone())?;
        let (header, payload) = signed
            .split_once('.')
            .filter(|(_, payload)| !payload.contains('.'))
            .ok_or(malformed)?;
        Ok(Parts {
            header,
            payload,
            signed,
            signature,
        })
    }
}

impl Header {
    /// The id of the key, once the header asks for nothing that is not supported.
    fn key_id(self) -> Result<String, InvalidIdentity> {
        if self.alg != "RS256" {
            return Err(InvalidIdentity::Algorithm);
        }
        if self.crit.is_some() {
            return Err(InvalidIdentity::Malformed("its header asks for extensions"));
        }
        self.kid
            .ok_or(InvalidIdentity::Malformed("its header names no key"))
    }
}

impl Registered {
    /// Checks audience, times and id. Returns when the token expires, leeway included.
    fn check(&self, audience: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, InvalidIdentity> {
        let is_ours = |one: &String| one.trim_end_matches('/') == audience;
        let audience_matches = match &self.aud {
            Audience::One(one) => is_ours(one),
            Audience::Several(several) => several.iter().any(is_ours),
        };
        if !audience_matches {
            return Err(InvalidIdentity::Audience(audience.to_owned()));
        }
        let expires_at = time(self.exp)? + LEEWAY;
        if now >= expires_at {
            return Err(InvalidIdentity::Expired);
        }
        let valid_from = time(self.nbf.unwrap_or(self.iat).max(self.iat))?;
        if now < valid_from - LEEWAY {
            return Err(InvalidIdentity::NotYetValid);
        }
        if self.jti.is_empty() || self.jti.len() > 256 {
            return Err(InvalidIdentity::Malformed("its id is empty or too long"));
        }
        Ok(expires_at)
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
    // The bound keeps the sums that follow from overflowing.
    DateTime::from_timestamp(seconds, 0)
        .filter(|time| time.timestamp().abs() < 100_000_000_000)
        .ok_or(InvalidIdentity::Malformed("invalid timestamp"))
}
