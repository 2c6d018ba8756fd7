//! The HTTP API against a real server and a real PostgreSQL: one file per route, one program for all of them, because
//! each program links the whole server.

mod access;
mod dead_weight;
mod events;
mod health;
mod inventory;
mod isolation;
mod leaderboards;
mod members;
mod oidc;
mod privacy;
mod rates;
mod receipts;
mod scores;
mod tokens;
mod uploads;
