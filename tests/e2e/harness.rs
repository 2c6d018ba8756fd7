//! What the tests from end to end have in common: a [`Hub`], which is a real server on a port of its own with a
//! database of its own, and [`Caller`]s, which call it over HTTP.
//!
//! For tests that kill and cut: the real program as a process ([`process`], [`Deployment`], [`Laptop`]), a network that
//! fails ([`Proxy`]), a PostgreSQL that may be killed ([`OwnPostgres`]), and the record of what was promised ([`Ledger`]).

mod answer;
mod browser;
pub(crate) mod deployment;
mod hub;
pub(crate) mod issuer;
mod laptop;
mod ledger;
mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod sample;

pub(crate) use answer::Answer;
pub(crate) use browser::{Browser, form};
pub(crate) use deployment::Deployment;
pub(crate) use hub::{Caller, Hub, Org};
pub(crate) use laptop::{Laptop, Uploader};
pub(crate) use ledger::Ledger;
pub(crate) use postgres::OwnPostgres;
pub(crate) use proxy::NetworkFault;
