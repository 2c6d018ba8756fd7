//! The requests in flight: their number is limited, and their results go into the report.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Observer, Progress};
use crate::{
    Error,
    plan::Batch,
    report::Report,
    send::{Delivery, Sender},
};

/// The requests in flight.
pub(super) struct InFlight<'a> {
    sender: Option<&'a Arc<Sender>>,
    limit: usize,
    tasks: JoinSet<Delivery>,
    observer: &'a Observer,
}

impl<'a> InFlight<'a> {
    /// At most `limit` requests at a time, at least one. Without a sender, batches are only counted.
    pub(super) fn new(sender: Option<&'a Arc<Sender>>, limit: usize, observer: &'a Observer) -> InFlight<'a> {
        InFlight {
            sender,
            limit: limit.max(1),
            tasks: JoinSet::new(),
            observer,
        }
    }

    /// Starts to send a batch as soon as the limit allows.
    pub(super) async fn start(&mut self, batch: Batch, report: &mut Report) -> Result<(), Error> {
        let Some(sender) = self.sender else {
            report.batches += 1;
            return Ok(());
        };
        while self.tasks.len() >= self.limit {
            self.finish_one(report).await?;
        }
        let sender = Arc::clone(sender);
        self.tasks.spawn(async move { sender.deliver(batch).await });
        Ok(())
    }

    /// Waits for all requests; returns the first error.
    pub(super) async fn finish(&mut self, report: &mut Report) -> Result<(), Error> {
        let mut first = Ok(());
        while !self.tasks.is_empty() {
            let finished = self.finish_one(report).await;
            first = first.and(finished);
        }
        first
    }

    async fn finish_one(&mut self, report: &mut Report) -> Result<(), Error> {
        let delivery = match self.tasks.join_next().await {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return Ok(()),
        };
        for receipt in delivery.receipts {
            (self.observer)(Progress::Sent(receipt.received));
            report.add(receipt);
        }
        for event in delivery.quarantined {
            (self.observer)(Progress::Sent(1));
            report.quarantine(event);
        }
        delivery.error.map_or(Ok(()), Err)
    }
}
