//! Sends what responses used in parts that respect the server's limits.

use model::{
    limits::Limits,
    usage::{Response, Usage, UsageReceipt},
};

use crate::{Error, plan::Fingerprint, send::Sender};

const PATH: &str = "/v1/usage";

/// A response is at most so many bytes of JSON: ids and names have limits.
const MAX_RESPONSE_BYTES: usize = 8 * 1024;

/// Sends the responses without those that an earlier upload has sent; `None` when the server has no route for them.
pub(crate) async fn send(
    responses: impl Iterator<Item = Response>,
    sender: &Sender,
) -> Result<Option<UsageReceipt>, Error> {
    let mut total = UsageReceipt::default();
    let mut responses = responses
        .filter(|response| !Fingerprint::of_json(response).is_some_and(|print| sender.is_sent(print)))
        .peekable();
    let most = part_size(sender.limits());
    while responses.peek().is_some() {
        let part = Usage {
            responses: responses.by_ref().take(most).collect(),
        };
        let body = serde_json::to_vec(&part).map_err(|error| Error::Output(error.into()))?;
        let Some(receipt) = sender.put::<UsageReceipt>(PATH, body).await? else {
            return Ok(None);
        };
        // Rejected ones are sent again, so that they are told of again.
        if receipt.rejected == 0 {
            let prints: Vec<Fingerprint> = part.responses.iter().filter_map(Fingerprint::of_json).collect();
            sender.record_prints(&prints);
        }
        total.received += receipt.received;
        total.inserted += receipt.inserted;
        total.upgraded += receipt.upgraded;
        total.duplicate += receipt.duplicate;
        total.rejected += receipt.rejected;
        total.already_counted += receipt.already_counted;
        total.rejection = total.rejection.or(receipt.rejection);
    }
    Ok(Some(total))
}

/// Responses in one request.
fn part_size(limits: &Limits) -> usize {
    limits
        .batch_events
        .min(limits.decoded_bytes / MAX_RESPONSE_BYTES)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_within_the_limits() {
        let limits = |batch_events, decoded_bytes| Limits {
            batch_events,
            decoded_bytes,
            ..Limits::default()
        };
        assert_eq!(part_size(&limits(5_000, 1 << 30)), 5_000);
        assert_eq!(part_size(&limits(5_000, 1 << 20)), 128);
        assert_eq!(part_size(&limits(0, 0)), 1);
    }
}
