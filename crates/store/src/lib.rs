//! PostgreSQL: connections, the schema, and every statement toolhub runs.
//!
//! Has no HTTP and no storage trait: there is one database, and tests use a real one (`crates/testing`).

#![warn(missing_docs)]

pub mod audit;
pub mod backup;
mod catalogue;
pub mod database_url;
pub mod dead_weight;
mod decisions;
pub mod derived;
pub mod device_logins;
pub mod error;
pub mod events;
mod filters;
pub mod health;
pub mod identity;
pub mod ingest;
pub mod inventory;
pub mod leaderboards;
mod long;
pub mod migrate;
pub mod names;
pub mod options;
pub mod overview;
pub mod page;
pub mod page_sessions;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod policy;
pub mod pool;
mod pooler;
pub mod prices;
pub mod privacy;
pub mod publishers;
pub mod readers;
mod row;
mod runs;
mod savings;
pub mod scores;
pub mod session;
pub mod team;
mod tls;
pub mod tool_detail;
pub mod uploads;
mod usage;

pub use error::StoreError;
pub use options::PoolOptions;
pub use pool::{Durability, PoolStatus, Store};
