//! The requests that are under way: so many at a time, and what became of each.

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
pub(super) struct Flight<'a> {
    sender: Option<&'a Arc<Sender>>,
    in_flight: usize,
    tasks: JoinSet<Delivery>,
    observer: &'a Observer,
}

impl<'a> Flight<'a> {
    /// At most `in_flight` requests at a time, at least one. Without a sender batches are only counted.
    pub(super) fn new(
        sender: Option<&'a Arc<Sender>>,
        in_flight: usize,
        observer: &'a Observer,
    ) -> Flight<'a> {
        Flight {
            sender,
            in_flight: in_flight.max(1),
            tasks: JoinSet::new(),
            observer,
        }
    }

    /// Sends a batch as soon as there is room.
    pub(super) async fn launch(&mut self, batch: Batch, report: &mut Report) -> Result<(), Error> {
        let Some(sender) = self.sender else {
            report.batches += 1;
            return Ok(());
        };
        while self.tasks.len() >= self.in_flight {
            self.land_one(report).await?;
        }
        let sender = Arc::clone(sender);
        self.tasks.spawn(async move { sender.deliver(batch).await });
        Ok(())
    }

    /// Waits for all that are under way; answers the first error.
    pub(super) async fn land(&mut self, report: &mut Report) -> Result<(), Error> {
        let mut first = Ok(());
        while !self.tasks.is_empty() {
            let landed = self.land_one(report).await;
            first = first.and(landed);
        }
        first
    }

    async fn land_one(&mut self, report: &mut Report) -> Result<(), Error> {
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
