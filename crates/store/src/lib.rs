//! PostgreSQL: reaching it (or starting it), its schema, and every statement toolhub runs.
//!
//! The only crate that names the driver. Deliberately without HTTP words and without a storage trait: there is one
//! database, and tests use the real one (`store::testing`, behind the feature of that name). Unix only, because the
//! embedded server is: it drops privileges, and speaks through a socket in a private directory.

#![warn(missing_docs)]

pub mod audit;
pub mod database_url;
pub mod dead_weight;
pub mod embedded;
pub mod error;
pub mod events;
pub mod ingest;
pub mod inventory;
pub mod leaderboards;
pub mod migrate;
pub mod page;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod policy;
pub mod pool;
pub mod privacy;
pub mod publishers;
pub mod readers;
pub mod refresh;
pub mod rollup;
pub mod scores;
mod session;
pub mod team;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
pub mod tool_detail;
pub mod uploads;

pub use error::StoreError;
pub use pool::{Durability, PoolOptions, PoolStatus, Store};
