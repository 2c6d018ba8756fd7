//! The pages, as a browser without scripts gets them.

mod access;
mod every_page;
mod login;
mod numbers;
mod open;
mod settings;
mod sign_in;
