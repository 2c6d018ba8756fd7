//! Positional call ids: ids that only count calls.
//!
//! Most models give every call a unique id (`toolu_…`, `call_…` with random characters): it is the `uuid` of the event
//! unchanged. Some, such as Kimi, number the calls of a turn or of a session (`Bash_0`, `functions.Bash:0`) and start
//! again in the next. Such an id is a key only together with the message that made the call; never with the session or
//! the file, because forks and resumed sessions copy messages.

use std::borrow::Cow;

pub(crate) use model::call_id::is_positional;
use model::{call_id::POSITIONAL_HASH, limits};
use sha2::{Digest, Sha256};

/// The uuid of a call: its id unchanged where that is unique, else the id together with the message that made the call
/// (or whatever copies of that message have in common).
pub(crate) fn uuid<'i>(id: &'i str, tool: &str, message: Option<&str>) -> Cow<'i, str> {
    match message {
        Some(message) if is_positional(id, tool) => Cow::Owned(within(id, message)),
        _ => Cow::Borrowed(id),
    }
}

/// A positional id together with its message; a hash of both where they are too long for a uuid.
pub(crate) fn within(id: &str, message: &str) -> String {
    let whole = format!("{message}/{id}");
    if whole.len() <= limits::UUID_BYTES {
        return whole;
    }
    let digest = Sha256::digest(whole.as_bytes());
    format!("{POSITIONAL_HASH}{}", model::text::hex(&digest[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_positional_id_is_a_key_together_with_its_message() {
        assert_eq!(uuid("Bash_0", "Bash", Some("m1")), "m1/Bash_0");
        assert_ne!(
            uuid("Bash_0", "Bash", Some("m1")),
            uuid("Bash_0", "Bash", Some("m2"))
        );
        assert_eq!(uuid("toolu_01Aaf", "Bash", Some("m1")), "toolu_01Aaf");
        assert_eq!(uuid("Bash_0", "Bash", None), "Bash_0");
        let long = "m".repeat(200);
        assert!(uuid("Bash_0", "Bash", Some(&long)).len() <= limits::UUID_BYTES);
        assert_ne!(
            uuid("Bash_0", "Bash", Some(&long)),
            uuid("Bash_1", "Bash", Some(&long))
        );
    }
}
