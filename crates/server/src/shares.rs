//! What one token and one org may have at the same time: answers that are being sent, and requests that the database
//! works on. What an org has too much of waits or is refused by itself; no other org waits for it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use model::OrgId;
use store::team::Identity;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::{
    config::Config,
    counts::{Counted, Counts},
    error::ApiError,
};

/// How long a request waits for others of its org.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The shares of this process.
pub(crate) struct Shares {
    by_token: Counts<Uuid>,
    by_org: Counts<OrgId>,
    of_token: usize,
    of_org: usize,
    /// Requests of one org that have a connection of the pool, or wait for one.
    at_work: usize,
    working: Mutex<HashMap<OrgId, Arc<Semaphore>>>,
}

/// An answer, until it has been sent.
pub(crate) struct Answering {
    _token: Counted<Uuid>,
    _org: Counted<OrgId>,
}

/// A request, until its answer is known.
pub(crate) struct Working(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Shares {
    /// `connections`: how many the database gives this process.
    pub(crate) fn new(config: &Config, connections: usize) -> Shares {
        Shares {
            by_token: Counts::default(),
            by_org: Counts::default(),
            of_token: config.token_requests,
            of_org: config.org_requests,
            at_work: (connections / 2).max(1),
            working: Mutex::default(),
        }
    }

    /// A place for one more answer.
    ///
    /// # Errors
    /// [`ApiError::TooManyRequests`] when the token or the org has as many as it may.
    pub(crate) fn answer(&self, identity: &Identity) -> Result<Answering, ApiError> {
        let places = self
            .by_token
            .enter(identity.token_id, self.of_token)
            .zip(self.by_org.enter(identity.org, self.of_org));
        let Some((token, org)) = places else {
            metrics::counter!("toolhub_shares_refused_total").increment(1);
            return Err(ApiError::TooManyRequests { retry_after: 1 });
        };
        Ok(Answering {
            _token: token,
            _org: org,
        })
    }

    /// A place for a request of an org that needs the pool, when others of its own have ended.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] when they do not end soon.
    pub(crate) async fn work(&self, org: OrgId) -> Result<Working, ApiError> {
        let places = {
            let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
            working
                .entry(org)
                .or_insert_with(|| Arc::new(Semaphore::new(self.at_work)))
                .clone()
        };
        match tokio::time::timeout(TIMEOUT, places.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Working(permit)),
            _ => Err(ApiError::Overloaded { retry_after: 1 }),
        }
    }
}

/// An answer that keeps its place until it has been sent, or its connection has ended.
pub(crate) fn hold(response: Response, answering: Answering) -> Response {
    response.map(|body| {
        Body::new(Held {
            body,
            _answering: answering,
        })
    })
}

struct Held {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
