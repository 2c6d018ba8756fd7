//! What the tests from end to end have in common: a [`Hub`], which is a real server on a port of its own with a
//! database of its own, and [`Caller`]s, who speak to it over HTTP.

#![warn(missing_docs)]

mod answer;
mod hub;
pub mod issuer;
pub mod sample;

pub use answer::Answer;
pub use hub::{Caller, Hub, Org};
