//! Rebuilds the crate when a migration is added: the macro that embeds them is not told by itself.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
    println!("cargo:rerun-if-changed=build.rs");
}
