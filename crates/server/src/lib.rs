//! The HTTP server: authentication, limits, JSON in and out, pages for people, and the worker that refreshes the scores.
//!
//! It contains no SQL and does not depend on the driver: every statement is a method of [`store::Store`]. It keeps no
//! state in memory that a second process on the same database would need.

#![warn(missing_docs)]

pub mod access;
mod address;
mod api;
mod auth;
mod body;
mod commit;
pub mod config;
mod connections;
mod counts;
mod deadline;
mod error;
mod etag;
mod extract;
mod memory;
mod observe;
mod oidc;
mod openapi;
mod page_session;
mod pages;
mod rates;
mod readers;
mod retention;
pub mod router;
mod routes;
mod serve;
mod shares;
mod shed;
mod state;
mod timing;
mod tls;
mod worker;

pub use config::Config;
pub use serve::{ServeError, serve};
pub use tls::{TlsError, TlsFiles};
