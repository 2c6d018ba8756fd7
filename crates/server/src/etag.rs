//! Tags of answers, and whether a caller has the answer already (RFC 9110, section 13.1.2).

use axum::http::HeaderValue;
use sha2::{Digest, Sha256};

/// The tag of a body. Computed from its bytes, so that it is the same on every server and changes with the answer.
pub(crate) fn of(body: impl AsRef<[u8]>) -> HeaderValue {
    let digest = model::text::hex(&Sha256::digest(body)[..16]);
    HeaderValue::try_from(format!("\"{digest}\"")).expect("hex in quotes is the value of a header")
}

/// True when one of the values of `If-None-Match` names the answer. They are compared weakly.
pub(crate) fn is_known<'h>(known: impl IntoIterator<Item = &'h HeaderValue>, tag: &HeaderValue) -> bool {
    known
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(|known| known.trim_ascii())
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_a_list_and_weakly_and_another_is_not() {
        let tag = of("answer");
        let text = tag.to_str().unwrap();
        for known in [
            text.to_owned(),
            format!("W/{text}"),
            format!("\"x\", {text}"),
            "*".to_owned(),
        ] {
            assert!(
                is_known(&[HeaderValue::try_from(&known).unwrap()], &tag),
                "{known}"
            );
        }
        let another = of("another");
        assert!(!is_known([&another], &tag) && !is_known([], &tag));
    }
}
