//! Orgs, their members, and the members' tokens.
//!
//! Every change is an [`Act`](crate::audit::Act): it names the actor, is checked against the member's current
//! permissions in the database and not against the token, and is written to the audit log in its own transaction.

mod access;
mod members;
mod orgs;
mod tokens;

pub use crate::identity::Identity;
pub(crate) use access::{find as find_member, within};
pub use members::NewMember;
pub(crate) use members::add as add_member;
pub use tokens::{Issued, NewToken, TokenFilter};
pub(crate) use tokens::{Of, Origin, end_all, issue, random_text, random_token};
