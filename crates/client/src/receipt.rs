//! Verification of receipts.

use model::Receipt;

use crate::plan::Batch;

/// Parses the response to a batch. It is a receipt only if it parses, echoes the batch's hash and accounts for every
/// event: a login page, a cached response of a proxy or a truncated response must not mark an event as sent.
pub(crate) fn verify_receipt(response: &[u8], batch: &Batch) -> Result<Receipt, String> {
    let receipt: Receipt = serde_json::from_slice(response)
        .map_err(|_| "the response to an upload is not a receipt".to_owned())?;
    if receipt.batch != batch.hash() {
        return Err("the receipt is for another batch".into());
    }
    let sum = [
        receipt.inserted,
        receipt.upgraded,
        receipt.duplicate,
        receipt.conflict,
        receipt.rejected,
    ]
    .into_iter()
    .try_fold(0_u64, u64::checked_add);
    if sum != Some(receipt.received) {
        return Err("the numbers of the receipt do not add up".into());
    }
    if usize::try_from(receipt.received) != Ok(batch.len()) {
        return Err(format!(
            "the receipt counts {} events of {}",
            receipt.received,
            batch.len()
        ));
    }
    Ok(receipt)
}

#[cfg(test)]
mod tests {
    use model::limits::Limits;

    use super::*;
    use crate::plan::Planner;

    #[test]
    fn only_a_receipt_that_accounts_for_this_batch_is_accepted() {
        let mut planner = Planner::new(&Limits::default(), None);
        assert_eq!(planner.push(b"{\"a\":1}"), None);
        assert_eq!(planner.push(b"{\"a\":2}"), None);
        let batch = planner.finish().unwrap();
        let valid = Receipt {
            received: 2,
            inserted: 1,
            rejected: 1,
            ..Receipt::new(batch.hash(), true)
        };
        let read = |receipt: &Receipt| verify_receipt(&serde_json::to_vec(receipt).unwrap(), &batch);
        assert_eq!(read(&valid).as_ref(), Ok(&valid));
        for (invalid, why) in [
            (
                Receipt {
                    batch: "00".into(),
                    ..valid.clone()
                },
                "another batch",
            ),
            (
                Receipt {
                    inserted: 2,
                    ..valid.clone()
                },
                "add up",
            ),
            (
                Receipt {
                    inserted: u64::MAX,
                    duplicate: 2,
                    ..valid.clone()
                },
                "add up",
            ),
            (
                Receipt {
                    received: 1,
                    rejected: 0,
                    ..valid.clone()
                },
                "1 events of 2",
            ),
        ] {
            assert!(read(&invalid).unwrap_err().contains(why), "{invalid:?}");
        }
        assert!(verify_receipt(b"<html>Sign in</html>", &batch).is_err());
        assert!(verify_receipt(b"{}", &batch).is_err());
    }
}
