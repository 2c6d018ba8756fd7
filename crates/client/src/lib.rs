//! The client of toolhub: uploads the events of session logs, stores credentials, requests scores and boards, and formats
//! the responses.
//!
//! An upload has these steps: [`find`] searches for logs, `collect` reads them through `sources` in parallel, `plan` cuts
//! the events into batches (pure), `send` sends each batch until a verified receipt acknowledges it, and `journal` records
//! what was acknowledged in case the run is killed. [`upload::upload`] runs all of them.
//!
//! Nothing here prints, and only [`environment`] reads the process environment.
//!
//! What is public is what `toolhub`, `bench` and the tests use, and nothing else: the module `exposed` checks it.

#![warn(missing_docs)]

pub mod address;
mod ci;
mod cline;
pub mod collect;
mod compressed;
pub mod credentials;
pub mod digest;
pub mod doctor;
pub mod environment;
mod error;
pub mod export;
#[cfg(test)]
mod exposed;
pub mod find;
mod gemini;
pub mod healthcheck;
pub mod hooks;
pub mod identity;
mod installed;
mod inventory;
mod journal;
pub mod login;
pub mod mcp;
mod mcp_servers;
mod opencode;
mod ordered_json;
mod outdated;
mod places;
mod plan;
#[cfg(feature = "planted-bugs")]
mod planted;
pub mod prices;
mod project;
pub mod prune;
pub mod read;
mod receipt;
pub mod render;
mod replace;
pub mod report;
mod retry;
pub mod rollout;
mod send;
mod sent;
pub mod server;
pub mod settings;
mod sharing;
pub mod status;
pub mod telemetry;
mod typed_skills;
pub mod upload;
mod usage;
mod vscode;

pub use environment::Environment;
pub use error::{Error, Exit};
pub use server::Server;
pub use sharing::ProjectRules;
