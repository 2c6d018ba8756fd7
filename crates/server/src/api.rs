//! The handlers: `/v1/events` is in `events.rs`, and so on.

pub(crate) mod audit;
pub(crate) mod dead_weight;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod inventory;
pub(crate) mod leaderboards;
pub(crate) mod limits;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod metrics;
pub(crate) mod oidc;
pub(crate) mod org;
pub(crate) mod refresh;
pub(crate) mod scores;
pub(crate) mod tokens;
pub(crate) mod trusted_publishers;
pub(crate) mod uploads;

use model::limits::{DEFAULT_PAGE_ROWS, PAGE_ROWS};

use crate::error::ApiError;

/// The number of rows that a list may answer.
fn page_rows(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit {
        None => Ok(DEFAULT_PAGE_ROWS),
        Some(limit @ 1..=PAGE_ROWS) => Ok(limit),
        Some(_) => Err(ApiError::BadQuery(format!("`limit` is 1 to {PAGE_ROWS}"))),
    }
}

/// Checks that a filter names a kind of tool.
fn check_kind(kind: Option<String>) -> Result<Option<String>, ApiError> {
    match kind {
        Some(word) if word != "all" && word.parse::<model::Kind>().is_err() => {
            let kinds: Vec<&str> = model::Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            Err(ApiError::BadQuery(format!(
                "`kind` is `all` or one of {}",
                kinds.join(", ")
            )))
        }
        kind => Ok(kind),
    }
}
