//! The addresses of pages. Names are encoded: they come from logs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a segment of a path may contain as it is: the unreserved characters, `:` and `@` (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@');

fn of(folder: &str, name: &str) -> String {
    format!("/{folder}/{}", utf8_percent_encode(name, SEGMENT))
}

/// The page of a tool.
pub(super) fn tool(tool_id: &str) -> String {
    of("tools", tool_id)
}

/// The page of a member.
pub(super) fn member(handle: &str) -> String {
    of("members", handle)
}

/// The page of a project.
pub(super) fn project(name: &str) -> String {
    of("projects", name)
}

/// The events with one value of one filter.
pub(super) fn events(filter: &[(&str, &str)]) -> String {
    super::view::address("/events", &(), filter)
}
