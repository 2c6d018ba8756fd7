//! The headers of every answer to a browser.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The media type of a page.
pub(crate) const HTML: &str = "text/html; charset=utf-8";

/// Nothing but our own stylesheet and images: no script, no frame, and no form that leads elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Sets them.
pub(super) fn set_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // `no-referrer` would take the origin from our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
