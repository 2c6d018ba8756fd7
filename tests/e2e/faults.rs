//! The fault suite: what a 200 promises, while servers, databases, uploaders and networks fail.
//!
//! Each case prints what was acknowledged, and how much of it was lost, stored twice, or stored without having been
//! sent (`-- --nocapture` shows it). Sizes are those of a change; `-- --ignored full_size` runs the greater ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_order;
mod bad_data;
mod crashes;
mod database;
mod durability;
mod hostile_tenant;
mod life_cycle;
mod load;
mod overload;
mod two_servers;
mod writers;

use std::fmt::Write;

/// Events as lines, with these ids.
fn lines<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    let mut lines = String::new();
    for id in ids {
        let _ = writeln!(
            lines,
            r#"{{"uuid":"{id}","tool_id":"builtin:Bash","outcome":"success","occurred_at":"2026-01-02T03:04:05Z"}}"#
        );
    }
    lines
}

/// Ids that begin with `name`.
fn ids(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name}_{n:07}")).collect()
}

/// A random number below `bound`, enough for a test; the state goes on.
fn random(state: &mut u64, bound: usize) -> usize {
    // xorshift64*, Vigna 2016.
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    let high = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
    usize::try_from(high).unwrap() % bound
}

/// Another order.
fn shuffle<T>(items: &mut [T], state: &mut u64) {
    for at in (1..items.len()).rev() {
        items.swap(at, random(state, at + 1));
    }
}
