//! The state that every handler shares.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use store::Store;
use tokio::sync::{Notify, Semaphore};

use crate::{
    commit::Committer, config::Config, memory::Memory, oidc::Verifier, rates::Rates, shares::Shares,
};

/// The application: cheap to clone, one per process.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) config: Config,
    /// True when an acknowledgement survives a power cut.
    pub(crate) durable: bool,
    pub(crate) committer: Committer,
    /// Permits for requests in flight.
    pub(crate) requests: Semaphore,
    /// Permits for large bodies that are being decoded and parsed, on threads of their own.
    pub(crate) decoding: Semaphore,
    /// The budget for the bodies of all requests in flight.
    pub(crate) memory: Memory,
    /// Wakes the worker: the boards are stale.
    pub(crate) stale: Notify,
    /// Wakes requests that wait for fresh boards.
    pub(crate) fresh: Notify,
    /// What one token and one org may have at the same time.
    pub(crate) shares: Shares,
    /// The rate limits.
    pub(crate) rates: Rates,
    /// Verifies the identity tokens of CI runs.
    pub(crate) verifier: Verifier,
    draining: AtomicBool,
}

impl App {
    pub(crate) fn new(store: Store, config: Config, durable: bool) -> App {
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        App(Arc::new(Inner {
            rates: Rates::new(&config),
            shares: Shares::new(&config, store.pool_status().max_size),
            verifier: Verifier::new(&config),
            committer: Committer::new(store.clone()),
            requests: Semaphore::new(config.requests),
            memory: Memory::new(config.body_memory),
            decoding: Semaphore::new(threads * 2),
            store,
            config,
            durable,
            stale: Notify::new(),
            fresh: Notify::new(),
            draining: AtomicBool::new(false),
        }))
    }

    /// The server's clock. The only place that reads it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the edge at which the clock is read"
    )]
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
