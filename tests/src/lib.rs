//! What the tests from end to end have in common: a [`Hub`], which is a real server on a port of its own with a
//! database of its own, and [`Caller`]s, who speak to it over HTTP.
//!
//! For tests that kill and cut: the real program as a process ([`process`], [`Deployment`], [`Laptop`]), a network that
//! fails ([`Proxy`]), a PostgreSQL that may be killed ([`OwnPostgres`]), and the books of what was promised ([`Ledger`]).

#![warn(missing_docs)]

mod answer;
pub mod deployment;
mod hub;
pub mod issuer;
mod laptop;
mod ledger;
mod postgres;
pub mod process;
mod proxy;
pub mod sample;

pub use answer::Answer;
pub use deployment::Deployment;
pub use hub::{Caller, Hub, Org};
pub use laptop::{Laptop, Uploader};
pub use ledger::{Balance, Ledger};
pub use postgres::OwnPostgres;
pub use proxy::{Proxy, Upstream, Weather};
