//! Whether this program is older than the server wants.

use model::limits::Limits;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What to do where the server wants a newer program than this one.
pub(crate) fn note(limits: &Limits) -> Option<String> {
    outdated(VERSION, &limits.client_version).then(|| {
        format!(
            "this toolhub is {VERSION}, and the server wants {} or newer: it may read less from the logs of today's \
             agents. Install the current one, then run `toolhub upload`",
            model::text::clean(&limits.client_version)
        )
    })
}

/// True for a version that is older. A version that is not three numbers asks for nothing.
fn outdated(own: &str, wanted: &str) -> bool {
    match (numbers(own), numbers(wanted)) {
        (Some(own), Some(wanted)) => own < wanted,
        _ => false,
    }
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let release = version.split(['-', '+']).next()?;
    let parts: Option<Vec<u64>> = release.split('.').map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers_and_nonsense_asks_for_nothing() {
        assert!(outdated("0.9.0", "0.10.0") && outdated("0.1.0", "0.1.1") && outdated("0.9.9", "1.0.0"));
        assert!(
            !outdated("0.10.0", "0.9.0") && !outdated("1.0.0", "1.0.0") && !outdated("1.0.0", "1.0.0-rc.1")
        );
        for nonsense in ["", "new", "1.0", "1.0.0.0", "1.0.x", "99999999999999999999.0.0"] {
            assert!(!outdated("0.1.0", nonsense), "{nonsense}");
        }
    }

    #[test]
    fn the_note_names_both_versions() {
        let wants = |version: &str| Limits {
            client_version: version.to_owned(),
            ..Limits::default()
        };
        let note = note(&wants("999.0.0")).unwrap();
        assert!(note.contains(VERSION) && note.contains("999.0.0"), "{note}");
        assert!(super::note(&wants(VERSION)).is_none() && super::note(&Limits::default()).is_none());
    }
}
