//! toolhub.
fn main() {}
