//! A server that stores events in memory and answers with receipts, except for the faults that a test injects.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use model::{Receipt, api::RefreshState, inventory::Inventory, limits::Limits};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

/// A fault in the response to a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// A login page with status 200.
    Portal,
    /// A receipt for another batch.
    OtherBatch,
    /// Half of the receipt.
    HalfReceipt,
    /// This status, with a `Retry-After` of 0 s.
    Status(u16),
    /// The connection ends before anything is stored.
    Reset,
    /// The connection ends after everything is stored.
    ResetAfterStoring,
}

/// A request as it came in, its body unpacked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The size of the body as it was sent.
    pub(crate) wire_bytes: usize,
}

type Faults = Box<dyn Fn(usize, &Seen) -> Option<Fault> + Send + Sync>;

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    uuids: BTreeSet<String>,
    refreshes: usize,
}

pub(crate) struct Hub {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// Starts a server. `faults` gets the number of the upload, from 0, and the request.
    pub(crate) async fn start(
        limits: Limits,
        faults: impl Fn(usize, &Seen) -> Option<Fault> + Send + Sync + 'static,
    ) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let faults: Arc<Faults> = Arc::new(Box::new(faults));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, faults, limits) = (Arc::clone(&shared), Arc::clone(&faults), limits.clone());
                let service = service_fn(move |request| {
                    let (state, faults, limits) = (Arc::clone(&state), Arc::clone(&faults), limits.clone());
                    async move { answer(request, &state, &faults, &limits).await }
                });
                // An error is a connection that we reset ourselves.
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Hub { url, state }
    }

    /// A server without faults.
    pub(crate) async fn without_faults() -> Hub {
        Hub::start(Limits::default(), |_, _| None).await
    }

    pub(crate) fn stored(&self) -> BTreeSet<String> {
        self.state.lock().unwrap().uuids.clone()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn uploads(&self) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.method == Method::POST)
            .collect()
    }

    pub(crate) fn inventories(&self) -> Vec<Inventory> {
        let puts = self
            .seen()
            .into_iter()
            .filter(|seen| seen.path == "/v1/inventory");
        puts.map(|seen| serde_json::from_slice(&seen.body).unwrap())
            .collect()
    }
}

/// `Err` makes hyper close the connection without an answer.
async fn answer(
    request: Request<Incoming>,
    state: &Mutex<State>,
    faults: &Faults,
    limits: &Limits,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (parts, body) = request.into_parts();
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let packed = body
        .collect()
        .await
        .map_err(|_| "the client went away")?
        .to_bytes();
    let body = match headers.get("content-encoding").map(String::as_str) {
        Some("zstd") => zstd::stream::decode_all(&packed[..]).unwrap(),
        Some("gzip") => {
            let mut body = Vec::new();
            flate2::read::GzDecoder::new(&packed[..])
                .read_to_end(&mut body)
                .unwrap();
            body
        }
        _ => packed.to_vec(),
    };
    let seen = Seen {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers,
        body,
        wire_bytes: packed.len(),
    };
    let mut state = state.lock().unwrap();
    let nth = state
        .seen
        .iter()
        .filter(|seen| seen.method == Method::POST)
        .count();
    state.seen.push(seen.clone());
    let fault = faults(nth, &seen);
    match (&fault, seen.path.as_str()) {
        (Some(Fault::Reset), _) => Err("reset"),
        (Some(Fault::Status(status)), _) => Ok(problem(*status)),
        (Some(Fault::Portal), _) => Ok(ok(b"<html>Sign in to the network</html>".to_vec())),
        (_, "/v1/limits") => Ok(json(limits)),
        (_, "/v1/refresh") => {
            state.refreshes += 1;
            let pending = state.refreshes < 3;
            let refresh = RefreshState {
                as_of: None,
                started_at: None,
                duration_ms: None,
                rows_changed: None,
                last_error: None,
                pending,
                views: Vec::new(),
            };
            Ok(json(&refresh))
        }
        (_, "/v1/inventory") => Ok(json(&model::inventory::InventoryReceipt::default())),
        (_, "/v1/events") => {
            let mut receipt = store(&mut state, &seen.body);
            match fault {
                Some(Fault::ResetAfterStoring) => return Err("reset"),
                Some(Fault::OtherBatch) => receipt.batch = "0".repeat(64),
                Some(Fault::HalfReceipt) => {
                    let whole = serde_json::to_vec(&receipt).unwrap();
                    return Ok(ok(whole[..whole.len() / 2].to_vec()));
                }
                _ => {}
            }
            Ok(json(&receipt))
        }
        _ => Ok(problem(404)),
    }
}

/// Stores events as the real server does: once each; one whose uuid says so is rejected.
fn store(state: &mut State, body: &[u8]) -> Receipt {
    let batch = model::text::hex(&Sha256::digest(body));
    let mut receipt = Receipt::new(batch, true);
    for line in body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let event: serde_json::Value = serde_json::from_slice(line).unwrap();
        let uuid = event["uuid"].as_str().unwrap().to_owned();
        receipt.received += 1;
        if uuid.contains("bad") {
            receipt.rejected += 1;
        } else if state.uuids.insert(uuid) {
            receipt.inserted += 1;
        } else {
            receipt.duplicate += 1;
        }
    }
    receipt
}

fn ok(body: Vec<u8>) -> Response<Full<Bytes>> {
    Response::new(Full::new(body.into()))
}

fn json(value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    ok(serde_json::to_vec(value).unwrap())
}

fn problem(status: u16) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "code": "planted", "detail": "planted by the test", "request_id": "r1" });
    let mut response = json(&body);
    *response.status_mut() = status.try_into().unwrap();
    response.headers_mut().insert("retry-after", "0".parse().unwrap());
    response
}
