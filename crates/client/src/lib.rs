//! The client of toolhub: finds session logs, plans batches, sends them until the server has acknowledged each; keeps
//! credentials; asks for scores and boards and lays the answers out for people.
//!
//! An upload walks through these rooms, in this order: [`find`] looks for logs, [`collect`] reads them through
//! `sources` in parallel, [`plan`] cuts the events into batches (pure), `send` delivers them and believes nothing but
//! a receipt that echoes the batch, [`journal`] remembers what was acknowledged in case the run is killed.
//! [`upload::upload`] is the whole walk.
//!
//! Nothing here prints, and nothing here reads the process environment except [`environment`].

#![warn(missing_docs)]

pub mod address;
pub mod ci;
pub mod collect;
mod compressed;
pub mod credentials;
pub mod doctor;
pub mod environment;
pub mod error;
pub mod export;
pub mod find;
mod gemini;
pub mod hooks;
pub mod identity;
pub mod installed;
mod inventory;
pub mod journal;
mod mcp_servers;
mod opencode;
pub mod places;
pub mod plan;
#[cfg(feature = "planted-bugs")]
mod planted;
pub mod prices;
pub mod project;
pub mod read;
mod receipt;
pub mod render;
pub mod report;
pub mod retry;
mod send;
pub mod server;
pub mod settings;
mod typed_skills;
pub mod upload;

pub use environment::Environment;
pub use error::{Error, Exit};
pub use server::Server;
