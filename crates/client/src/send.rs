//! Delivering batches: each until it is acknowledged, refused for good, or patience ends.

use std::{
    io::Write,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use model::{Receipt, api, limits::Limits};
use reqwest::{
    Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Error, Server,
    journal::Journal,
    plan::{Batch, Fingerprint},
    receipt,
    report::Quarantined,
    retry::{Patience, Retry},
    server::{Ask, Trouble},
};

/// How bodies are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Zstandard (RFC 8878), level 3.
    #[default]
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
    /// As it is.
    Identity,
}

impl Encoding {
    const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Gzip, Encoding::Identity];

    fn pack(self, body: &Bytes) -> std::io::Result<Bytes> {
        Ok(match self {
            Encoding::Zstd => zstd::bulk::compress(body, 3)?.into(),
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(body)?;
                encoder.finish()?.into()
            }
            Encoding::Identity => body.clone(),
        })
    }

    fn header(self) -> Option<HeaderValue> {
        match self {
            Encoding::Zstd => Some(HeaderValue::from_static("zstd")),
            Encoding::Gzip => Some(HeaderValue::from_static("gzip")),
            Encoding::Identity => None,
        }
    }
}

/// Sends to one server. Shared by all requests in flight.
#[derive(Debug)]
pub(crate) struct Sender {
    server: Server,
    patience: Patience,
    headers: HeaderMap,
    /// Place in [`Encoding::ALL`]; moves on when the server does not know one.
    encoding: AtomicU8,
    /// The server has answered like one, so that it is worth waiting for.
    answered: AtomicBool,
    limits: Limits,
    journal: Mutex<Option<Journal>>,
}

/// What became of one batch.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) quarantined: Vec<Quarantined>,
    /// Why the rest of the batch was not delivered.
    pub(crate) error: Option<Error>,
}

/// What the server made of one request.
enum Sent<T> {
    Accepted(T),
    TooLarge(String),
}

impl Sender {
    /// Reaches the server and learns its limits.
    pub(crate) async fn connect(
        server: Server,
        patience: Patience,
        encoding: Encoding,
        ci: Option<&str>,
        journal: Option<Journal>,
    ) -> Result<Sender, Error> {
        server.token()?;
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static(api::SOURCE_HEADER),
            HeaderValue::from_static("jsonl"),
        );
        if let Some(value) = ci.and_then(|ci| HeaderValue::from_str(ci).ok()) {
            headers.insert(HeaderName::from_static(api::CI_HEADER), value);
        }
        let first = Encoding::ALL
            .iter()
            .position(|other| *other == encoding)
            .unwrap_or_default();
        let mut sender = Sender {
            server,
            patience,
            headers,
            encoding: AtomicU8::new(u8::try_from(first).unwrap_or_default()),
            answered: AtomicBool::new(false),
            limits: Limits::default(),
            journal: Mutex::new(journal),
        };
        let ask = sender.ask(Method::GET, "/v1/limits", "", Bytes::new(), Encoding::Identity);
        match sender.persist(ask, parse).await? {
            Sent::Accepted(limits) => sender.limits = limits,
            Sent::TooLarge(detail) => return Err(Trouble::TooLarge(detail).into_error(sender.server.url())),
        }
        Ok(sender)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// True for an event that an earlier run had delivered.
    pub(crate) fn is_acknowledged(&self, event: Fingerprint) -> bool {
        self.with_journal(|journal| journal.acknowledged().contains(&event))
            .unwrap_or(false)
    }

    /// Removes the journal: everything is delivered.
    pub(crate) fn complete(&self) -> Result<(), Error> {
        match self
            .journal
            .lock()
            .expect("no holder of the journal panics")
            .take()
        {
            Some(journal) => journal.remove(),
            None => Ok(()),
        }
    }

    /// Delivers a batch, in smaller and smaller pieces where it is too large.
    pub(crate) async fn deliver(&self, batch: Batch) -> Delivery {
        let mut delivery = Delivery::default();
        let mut pieces = vec![batch];
        while let Some(piece) = pieces.pop() {
            #[cfg(feature = "planted-bugs")]
            if crate::planted::is("advance_before_receipt") {
                drop(self.remember(&piece));
            }
            match self.post(&piece).await {
                Ok(Sent::Accepted(receipt)) => {
                    // Rejected events are not written down, so that a resumed run tells of them again.
                    if receipt.rejected == 0 {
                        delivery.error = self.remember(&piece).err();
                    }
                    delivery.receipts.push(receipt);
                }
                Ok(Sent::TooLarge(detail)) => match piece.halve() {
                    Some((first, second)) => pieces.extend([second, first]),
                    None => delivery
                        .quarantined
                        .extend(piece.events().map(|event| quarantined(event, &detail))),
                },
                Err(error) => delivery.error = Some(error),
            }
            if delivery.error.is_some() {
                break;
            }
        }
        delivery
    }

    /// Puts JSON to a route until it is accepted. `None` when the server has no such route.
    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Option<T>, Error> {
        match self
            .request(Method::PUT, path, "application/json", &body.into(), parse)
            .await
        {
            Ok(Sent::Accepted(answer)) => Ok(Some(answer)),
            Ok(Sent::TooLarge(detail)) => Err(Trouble::TooLarge(detail).into_error(self.server.url())),
            Err(Error::Refused {
                status: 404 | 405, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn post(&self, batch: &Batch) -> Result<Sent<Receipt>, Error> {
        let believe = |answer: &[u8]| receipt::believe(answer, batch);
        self.request(
            Method::POST,
            "/v1/events",
            "application/x-ndjson",
            batch.body(),
            believe,
        )
        .await
    }

    /// One body in whatever encoding the server takes.
    async fn request<T>(
        &self,
        method: Method,
        path: &str,
        media_type: &'static str,
        body: &Bytes,
        believe: impl Fn(&[u8]) -> Result<T, String> + Copy,
    ) -> Result<Sent<T>, Error> {
        loop {
            let place = self.encoding.load(Ordering::Relaxed);
            let encoding = Encoding::ALL[usize::from(place)];
            let packed = encoding.pack(body).map_err(Error::Output)?;
            if packed.len() > self.limits.wire_bytes || body.len() > self.limits.decoded_bytes {
                let detail = format!(
                    "{} bytes ({} packed); the server takes {} ({} packed)",
                    body.len(),
                    packed.len(),
                    self.limits.decoded_bytes,
                    self.limits.wire_bytes
                );
                return Ok(Sent::TooLarge(detail));
            }
            let ask = self.ask(method.clone(), path, media_type, packed, encoding);
            match self.persist(ask, believe).await {
                Err(Error::Refused { status: 415, .. }) if encoding != Encoding::Identity => {
                    // Another request may have moved on already.
                    let _ = self.encoding.compare_exchange(
                        place,
                        place + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                other => return other,
            }
        }
    }

    fn ask<'a>(
        &self,
        method: Method,
        path: &'a str,
        media_type: &'static str,
        body: Bytes,
        encoding: Encoding,
    ) -> Ask<'a> {
        let mut headers = self.headers.clone();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            if let Some(encoding) = encoding.header() {
                headers.insert(CONTENT_ENCODING, encoding);
            }
        }
        Ask {
            method,
            path,
            query: &[],
            headers,
            body,
        }
    }

    /// Sends a request again and again until its answer is believed, or there is no use.
    async fn persist<T>(
        &self,
        ask: Ask<'_>,
        believe: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Sent<T>, Error> {
        let mut retry = Retry::new(self.patience);
        loop {
            let answer = self
                .server
                .ask(&ask)
                .await
                .and_then(|answer| self.server.judge(answer));
            let trouble = match answer {
                Ok(body) => match believe(&body) {
                    Ok(accepted) => {
                        self.answered.store(true, Ordering::Relaxed);
                        return Ok(Sent::Accepted(accepted));
                    }
                    Err(why) => Trouble::Stranger(why),
                },
                Err(Trouble::TooLarge(detail)) => return Ok(Sent::TooLarge(detail)),
                Err(trouble) => trouble,
            };
            retry
                .wait(trouble, self.server.url(), self.answered.load(Ordering::Relaxed))
                .await?;
        }
    }

    /// Writes down that the server has these events.
    fn remember(&self, batch: &Batch) -> Result<(), Error> {
        let prints: Vec<Fingerprint> = batch
            .events()
            .filter(|event| uuid_of(event).is_some())
            .map(Fingerprint::of)
            .collect();
        self.with_journal(|journal| journal.append(&prints))
            .unwrap_or(Ok(()))
    }

    fn with_journal<T>(&self, f: impl FnOnce(&mut Journal) -> T) -> Option<T> {
        self.journal
            .lock()
            .expect("no holder of the journal panics")
            .as_mut()
            .map(f)
    }
}

fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, String> {
    serde_json::from_slice(answer).map_err(|error| error.to_string())
}

/// The uuid of an event on the wire. One without is never remembered: another one may look the same.
fn uuid_of(event: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Uuid {
        uuid: Option<String>,
    }
    serde_json::from_slice::<Uuid>(event).ok()?.uuid
}

fn quarantined(event: &[u8], detail: &str) -> Quarantined {
    Quarantined {
        uuid: uuid_of(event),
        bytes: event.len(),
        detail: detail.to_owned(),
    }
}
