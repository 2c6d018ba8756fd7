//! Sends batches: each is retried until it is acknowledged, refused for good, or the retry policy ends.

use std::{
    collections::HashSet,
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
    receipt::verify_receipt,
    report::Quarantined,
    retry::{Retry, RetryPolicy},
    server::{Request, RequestError},
};

/// The compression of request bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Zstandard (RFC 8878), level 3.
    #[default]
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
    /// No compression.
    Identity,
}

impl Encoding {
    const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Gzip, Encoding::Identity];

    fn compress(self, body: &Bytes) -> std::io::Result<Bytes> {
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
    policy: RetryPolicy,
    headers: HeaderMap,
    /// Index into [`Encoding::ALL`]; advances when the server does not support an encoding.
    encoding: AtomicU8,
    /// The address has answered like a toolhub server, so that it is retried for longer.
    answered: AtomicBool,
    limits: Limits,
    /// What earlier complete uploads have sent, where this one leaves it out.
    sent: HashSet<Fingerprint>,
    journal: Mutex<Option<Journal>>,
    /// Why the journal was given up, if it was.
    journal_error: Mutex<Option<Error>>,
}

/// The result of sending one batch.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) quarantined: Vec<Quarantined>,
    /// Why the rest of the batch was not sent.
    pub(crate) error: Option<Error>,
}

/// The result of one request.
enum SendResult<T> {
    Accepted(T),
    TooLarge(String),
}

impl Sender {
    /// Connects to the server and reads its limits.
    pub(crate) async fn connect(
        server: Server,
        policy: RetryPolicy,
        encoding: Encoding,
        ci: Option<&str>,
        sent: HashSet<Fingerprint>,
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
            policy,
            headers,
            encoding: AtomicU8::new(u8::try_from(first).unwrap_or_default()),
            answered: AtomicBool::new(false),
            limits: Limits::default(),
            sent,
            journal: Mutex::new(journal),
            journal_error: Mutex::new(None),
        };
        let request = sender.build(Method::GET, "/v1/limits", "", Bytes::new(), Encoding::Identity);
        match sender.send_until_accepted(request, parse).await? {
            SendResult::Accepted(limits) => sender.limits = limits,
            SendResult::TooLarge(detail) => {
                return Err(RequestError::TooLarge(detail).into_error(sender.server.url()));
            }
        }
        Ok(sender)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// True for an event that the interrupted run has sent with which this one goes on.
    pub(crate) fn is_resumed(&self, event: Fingerprint) -> bool {
        self.with_journal(|journal| journal.acknowledged().contains(&event))
            .unwrap_or(false)
    }

    /// True for what an earlier complete upload has sent.
    pub(crate) fn is_sent(&self, print: Fingerprint) -> bool {
        self.sent.contains(&print)
    }

    /// What the server has acknowledged in this run.
    pub(crate) fn acknowledged(&self) -> HashSet<Fingerprint> {
        self.with_journal(|journal| journal.acknowledged().clone())
            .unwrap_or_default()
    }

    /// Removes the journal: everything is sent.
    ///
    /// # Errors
    /// When it could not be written or removed. Nothing is lost: a later run may send events again.
    pub(crate) fn complete(&self) -> Result<(), Error> {
        if let Some(error) = self
            .journal_error
            .lock()
            .expect("no holder of the error panics")
            .take()
        {
            return Err(error);
        }
        match self.take_journal() {
            Some(journal) => journal.remove(),
            None => Ok(()),
        }
    }

    fn take_journal(&self) -> Option<Journal> {
        self.journal
            .lock()
            .expect("no holder of the journal panics")
            .take()
    }

    /// Sends a batch. A batch that is too large is halved until its parts fit.
    pub(crate) async fn deliver(&self, batch: Batch) -> Delivery {
        let mut delivery = Delivery::default();
        let mut pieces = vec![batch];
        while let Some(piece) = pieces.pop() {
            #[cfg(feature = "planted-bugs")]
            if crate::planted::is("advance_before_receipt") {
                self.record(&piece);
            }
            match self.post(&piece).await {
                Ok(SendResult::Accepted(receipt)) => {
                    // Rejected events are not recorded, so that a resumed run reports them again.
                    if receipt.rejected == 0 {
                        self.record(&piece);
                    }
                    delivery.receipts.push(receipt);
                }
                Ok(SendResult::TooLarge(detail)) => match piece.halve() {
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

    /// Puts JSON to a route, with retries. `None` when the server has no such route.
    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Option<T>, Error> {
        match self
            .request(Method::PUT, path, "application/json", &body.into(), parse)
            .await
        {
            Ok(SendResult::Accepted(value)) => Ok(Some(value)),
            Ok(SendResult::TooLarge(detail)) => {
                Err(RequestError::TooLarge(detail).into_error(self.server.url()))
            }
            Err(Error::Refused {
                status: 404 | 405, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn post(&self, batch: &Batch) -> Result<SendResult<Receipt>, Error> {
        let parse_response = |response: &[u8]| verify_receipt(response, batch);
        self.request(
            Method::POST,
            "/v1/events",
            "application/x-ndjson",
            batch.body(),
            parse_response,
        )
        .await
    }

    /// Sends one body, in the first encoding that the server supports.
    async fn request<T>(
        &self,
        method: Method,
        path: &str,
        media_type: &'static str,
        body: &Bytes,
        parse_response: impl Fn(&[u8]) -> Result<T, String> + Copy,
    ) -> Result<SendResult<T>, Error> {
        loop {
            let index = self.encoding.load(Ordering::Relaxed);
            let encoding = Encoding::ALL[usize::from(index)];
            let compressed = encoding.compress(body).map_err(Error::Output)?;
            if compressed.len() > self.limits.wire_bytes || body.len() > self.limits.decoded_bytes {
                let detail = format!(
                    "{} bytes ({} compressed); the server accepts {} ({} compressed)",
                    body.len(),
                    compressed.len(),
                    self.limits.decoded_bytes,
                    self.limits.wire_bytes
                );
                return Ok(SendResult::TooLarge(detail));
            }
            let request = self.build(method.clone(), path, media_type, compressed, encoding);
            match self.send_until_accepted(request, parse_response).await {
                Err(Error::Refused { status: 415, .. }) if encoding != Encoding::Identity => {
                    // Another request may have advanced it already.
                    let _ = self.encoding.compare_exchange(
                        index,
                        index + 1,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                other => return other,
            }
        }
    }

    fn build<'a>(
        &self,
        method: Method,
        path: &'a str,
        media_type: &'static str,
        body: Bytes,
        encoding: Encoding,
    ) -> Request<'a> {
        let mut headers = self.headers.clone();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            if let Some(encoding) = encoding.header() {
                headers.insert(CONTENT_ENCODING, encoding);
            }
        }
        Request {
            method,
            path,
            query: &[],
            headers,
            body,
        }
    }

    /// Sends a request until its response is accepted, with the pauses and the end of the retry policy.
    async fn send_until_accepted<T>(
        &self,
        request: Request<'_>,
        parse_response: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<SendResult<T>, Error> {
        let mut retry = Retry::new(self.policy);
        loop {
            let response = self
                .server
                .execute_within(&request, retry.limit())
                .await
                .and_then(|response| self.server.classify(response));
            let error = match response {
                Ok(body) => match parse_response(&body) {
                    Ok(accepted) => {
                        self.answered.store(true, Ordering::Relaxed);
                        return Ok(SendResult::Accepted(accepted));
                    }
                    Err(reason) => RequestError::NotToolhub(reason),
                },
                Err(RequestError::TooLarge(detail)) => return Ok(SendResult::TooLarge(detail)),
                Err(error) => error,
            };
            retry
                .wait(error, self.server.url(), self.answered.load(Ordering::Relaxed))
                .await?;
        }
    }

    fn record(&self, batch: &Batch) {
        let prints: Vec<Fingerprint> = batch
            .events()
            .filter(|event| uuid_of(event).is_some())
            .map(Fingerprint::of)
            .collect();
        self.record_prints(&prints);
    }

    /// Records in the journal that the server has this. A journal that cannot be written is given up: the upload matters
    /// more than resuming it.
    pub(crate) fn record_prints(&self, prints: &[Fingerprint]) {
        if let Some(Err(error)) = self.with_journal(|journal| journal.append(prints)) {
            drop(self.take_journal());
            *self.journal_error.lock().expect("no holder of the error panics") = Some(error);
        }
    }

    fn with_journal<T>(&self, f: impl FnOnce(&mut Journal) -> T) -> Option<T> {
        self.journal
            .lock()
            .expect("no holder of the journal panics")
            .as_mut()
            .map(f)
    }
}

fn parse<T: DeserializeOwned>(response: &[u8]) -> Result<T, String> {
    serde_json::from_slice(response).map_err(|error| error.to_string())
}

/// The uuid of an event on the wire. An event without one is never recorded: another one may have the same bytes.
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
