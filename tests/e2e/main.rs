//! Tests from end to end: the real server and the real binary against a real PostgreSQL, and the rules that the
//! whole workspace keeps.
//!
//! One program for all of them, because each test program links the whole server.

mod abuse;
mod api;
mod architecture;
mod browser;
mod deletion;
mod documents;
mod faults;
mod harness;
mod logs;
mod pages;
mod snapshots;
mod words;
