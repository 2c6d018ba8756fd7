//! Orgs, their members, and the tokens that speak for them.
//!
//! Every change is an [`Act`](crate::audit::Act): it names who does it, is checked against what that member may do by
//! the state of the database and not of the token, and is written to the audit log in its own transaction.

mod members;
mod orgs;
mod tokens;

pub use members::NewMember;
pub(crate) use members::{add as add_member, find as find_member, within};
pub use tokens::{Identity, Issued, NewToken, TokenFilter};
pub(crate) use tokens::{Of, Origin, end_all, issue, random_text};

use tokio_postgres::Row;

use crate::StoreError;

/// Reads a column that holds one of a few words.
pub(crate) fn word<T: std::str::FromStr>(
    row: &Row,
    at: usize,
    column: &'static str,
) -> Result<T, StoreError> {
    row.try_get::<_, &str>(at)?
        .parse()
        .map_err(|_| StoreError::Unreadable(column))
}
