//! The handlers: `/v1/events` is in `events.rs`, and so on.

pub(crate) mod audit;
pub(crate) mod dead_weight;
pub(crate) mod decisions;
pub(crate) mod device_logins;
pub(crate) mod events;
pub(crate) mod gates;
pub(crate) mod health;
pub(crate) mod inventory;
pub(crate) mod leaderboards;
pub(crate) mod limits;
pub(crate) mod mcp;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod metrics;
mod names;
pub(crate) mod oidc;
pub(crate) mod org;
pub(crate) mod otlp;
pub(crate) mod overview;
pub(crate) mod prices;
pub(crate) mod refresh;
pub(crate) mod savings;
pub(crate) mod scores;
pub(crate) mod tokens;
pub(crate) mod trusted_publishers;
pub(crate) mod uploads;
pub(crate) mod usage;
