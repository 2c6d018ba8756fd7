//! The HTTP API against a real server and a real PostgreSQL: one file per route.

mod access;
mod decisions;
mod deploy;
mod device_logins;
mod events;
mod every_route;
mod gates;
mod health;
mod hostile_numbers;
mod inventory;
mod isolation;
mod leaderboards;
mod mcp;
mod members;
mod metrics;
mod names;
mod oidc;
mod openapi;
mod otlp;
#[path = "../../crates/sources/tests/it/otlp_wire.rs"]
mod otlp_wire;
mod prices;
mod privacy;
mod rates;
mod receipts;
mod refresh;
mod scores;
mod shares;
mod tls;
mod tokens;
mod uploads;
mod usage;
