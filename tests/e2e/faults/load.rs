//! Senders who never rest, while something else goes wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::harness::{Deployment, Ledger, deployment::Sender, process::until};
use tokio::{sync::watch, task::JoinSet};

use super::{ids, lines};

const BATCH: usize = 50;

/// Four senders, and the ledger of what they were promised.
pub(crate) struct Load {
    pub(crate) ledger: Arc<Ledger>,
    sender: Arc<Sender>,
    stop: watch::Sender<bool>,
    /// Each answers whether its receipts called themselves durable.
    workers: JoinSet<BTreeSet<bool>>,
}

/// What a load has seen.
pub(crate) struct Seen {
    /// How often each status came; 0 stands for no answer.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// What receipts said of their durability.
    pub(crate) durable: BTreeSet<bool>,
}

impl Load {
    /// Starts the senders, and waits until they are well under way.
    pub(crate) async fn on(deployment: &Deployment) -> Load {
        Load::through(deployment, &deployment.server.url()).await
    }

    /// The same, with an address that the senders keep when servers change.
    pub(crate) async fn through(deployment: &Deployment, url: &str) -> Load {
        let member = deployment.member("loader").await;
        let (stop, stopped) = watch::channel(false);
        let mut load = Load {
            ledger: Arc::default(),
            sender: Arc::new(Sender::to(url)),
            stop,
            workers: JoinSet::new(),
        };
        for worker in 0..4 {
            let (ledger, sender) = (Arc::clone(&load.ledger), Arc::clone(&load.sender));
            let (stopped, member) = (stopped.clone(), member.clone());
            load.workers.spawn(async move {
                let mut durable = BTreeSet::new();
                for round in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let batch = ids(&format!("w{worker}_r{round}"), BATCH);
                    let keys = || batch.iter().map(|uuid| format!("{} {uuid}", member.id.0));
                    ledger.sent(keys());
                    let receipt = sender.deliver(&member.token, &lines(&batch)).await;
                    ledger.acked(keys());
                    durable.insert(receipt.durable);
                }
                durable
            });
        }
        load.goes_on().await;
        load
    }

    /// Waits until a few more batches are acknowledged.
    pub(crate) async fn goes_on(&self) {
        let before = self.ledger.acked_so_far();
        until("the load goes on", async || {
            self.ledger.acked_so_far() > before + 4 * BATCH
        })
        .await;
    }

    /// Waits until a sender has been answered with this status.
    pub(crate) async fn hears(&self, status: u16) {
        until(&format!("a sender hears {status}"), async || {
            self.sender.statuses().contains_key(&status)
        })
        .await;
    }

    /// Ends the senders, after some more batches.
    pub(crate) async fn end(mut self) -> (Arc<Ledger>, Seen) {
        self.goes_on().await;
        self.stop.send_replace(true);
        let mut durable = BTreeSet::new();
        while let Some(worker) = self.workers.join_next().await {
            durable.extend(worker.unwrap());
        }
        let statuses = self.sender.statuses();
        self.ledger
            .note("statuses", format!("{statuses:?}").replace(' ', ""));
        (self.ledger, Seen { statuses, durable })
    }
}

impl Seen {
    /// None has heard anything but 200 and 503.
    pub(crate) fn only_200_and_503(&self) {
        let statuses = &self.statuses;
        assert!(
            statuses.keys().all(|status| matches!(status, 200 | 503)),
            "{statuses:?}"
        );
    }
}
