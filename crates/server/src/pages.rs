//! The pages: HTML for people, made on the server, one file per page.
//!
//! A page asks the handlers of the API, so that a number on a page is the number of the API. It needs no script and
//! loads nothing from other hosts, and its Content-Security-Policy allows neither.

pub(crate) mod adoption;
pub(crate) mod api;
mod appearance;
pub(crate) mod assets;
mod boards;
mod chart;
pub(crate) mod dead_weight;
pub(crate) mod events;
mod failure;
mod filters;
mod form;
mod layout;
mod links;
mod listings;
pub(crate) mod me;
pub(crate) mod member;
pub(crate) mod members;
pub(crate) mod overview;
mod policy;
pub(crate) mod project;
pub(crate) mod projects;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod sign_out;
mod table;
pub(crate) mod theme;
pub(crate) mod tool;
pub(crate) mod tools;
pub(crate) mod uploads;
mod view;
mod visit;

pub(crate) use failure::{AsPage, finish, no_such_page};
pub(crate) use policy::HTML;
