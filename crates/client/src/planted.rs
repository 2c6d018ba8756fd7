//! Deliberate bugs that the fault suite must find. Compiled only with the feature `planted-bugs`, never in a release.

#[cfg(not(debug_assertions))]
compile_error!("planted bugs are for debug builds: build without the feature `planted-bugs`");

/// True when `TOOLHUB_PLANTED_BUG` names this bug.
pub(crate) fn is(bug: &str) -> bool {
    std::env::var_os("TOOLHUB_PLANTED_BUG").is_some_and(|planted| planted == bug)
}
