//! toolhub.

#[cfg(test)]
mod demo;

fn main() {}
