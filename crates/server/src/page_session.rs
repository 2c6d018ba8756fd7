//! What a browser holds in the place of a token: the cookie of a page session.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use model::token::PageSecret;
use store::{StoreError, page_sessions::PageSession};

use crate::{config::Config, error::ApiError, state::App};

/// The page to which a signed-in browser is led when none is asked for.
pub(crate) const HOME: &str = "/";
const SIGN_IN: &str = "/sign-in";

/// A signed-in browser.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) session: PageSession,
    secret: PageSecret,
}

impl Visitor {
    /// What the forms of this session carry.
    pub(crate) fn form_token(&self) -> String {
        self.secret.form_token()
    }
}

/// What the cookies of a request name.
#[derive(Debug)]
pub(crate) enum Found {
    /// A session that holds.
    Visitor(Box<Visitor>),
    /// No session.
    Nothing,
    /// A session that has ended, or that never was.
    Ended,
}

/// Finds the session of a request.
pub(crate) async fn find(app: &App, headers: &HeaderMap) -> Result<Found, ApiError> {
    let Some(text) = cookie(headers, name(&app.config)) else {
        return Ok(Found::Nothing);
    };
    let Some(secret) = PageSecret::parse(text) else {
        return Ok(Found::Ended);
    };
    let waited = app.config.read_timeout;
    let session = tokio::time::timeout(waited, app.store.page_session_identity(&secret, app.now()))
        .await
        .unwrap_or(Err(StoreError::NoAnswer { waited }))?;
    Ok(match session {
        Some(session) => Found::Visitor(Box::new(Visitor { session, secret })),
        None => Found::Ended,
    })
}

/// The value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// True when browsers reach the server through TLS.
pub(crate) fn is_secure(config: &Config) -> bool {
    let public = config.public_url.as_ref();
    config.tls.is_some() || public.is_some_and(|url| url.starts_with("https://"))
}

/// The name of the cookie. `__Host-` binds it to this host; browsers accept that from TLS alone.
fn name(config: &Config) -> &'static str {
    if is_secure(config) {
        "__Host-toolhub_session"
    } else {
        "toolhub_session"
    }
}

/// The header that gives a browser its session.
pub(crate) fn begin_cookie(
    config: &Config,
    secret: &PageSecret,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> HeaderValue {
    let seconds = (expires_at - now).num_seconds().max(0);
    set_cookie(config, secret.reveal(), seconds)
}

/// The header that takes the session from a browser.
pub(crate) fn end_cookie(config: &Config) -> HeaderValue {
    set_cookie(config, "", 0)
}

fn set_cookie(config: &Config, value: &str, seconds: i64) -> HeaderValue {
    let secure = if is_secure(config) { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
        name(config)
    );
    let mut header = HeaderValue::from_str(&text).expect("letters, digits and signs");
    header.set_sensitive(true);
    header
}

/// A path on this server, from a text that a link may have brought: another host is never led to.
pub(crate) fn local_path(text: Option<&str>) -> &str {
    let is_local = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !path.starts_with(SIGN_IN)
    };
    text.filter(is_local).unwrap_or(HOME)
}

/// Leads a browser to another page, which it then gets.
pub(crate) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static(HOME));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Leads a browser to the sign-in, and from there back to the page. A form is not sent again.
pub(crate) fn to_sign_in(request: &Request) -> Response {
    let asked = request.uri().path_and_query().map(|asked| asked.as_str());
    let next = local_path(asked.filter(|_| request.method().is_safe()));
    see_other(&format!(
        "{SIGN_IN}?{}",
        serde_urlencoded::to_string([("next", next)]).unwrap_or_default()
    ))
}

/// Refuses a form that another site sends. A client that is no browser sends neither header.
pub(crate) fn check_origin(headers: &HeaderMap, config: &Config) -> Result<(), ApiError> {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| value.to_str().unwrap_or("?"))
    };
    let refused = || {
        Err(ApiError::NotAllowed(
            "the form was sent by another site; open the page here and send it again".into(),
        ))
    };
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return refused();
    }
    let Some(origin) = text("origin") else {
        return Ok(());
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    let is_ours = host.is_some() && host == text("host") || Some(origin) == config.public_url.as_deref();
    if is_ours { Ok(()) } else { refused() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn a_browser_is_never_led_to_another_host() {
        for path in ["/", "/tools?window=7d&kind=mcp", "/tools/mcp:a%2Fb"] {
            assert_eq!(local_path(Some(path)), path);
        }
        for path in [
            "",
            "tools",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "/\t/evil.example",
            "/sign-in?next=/sign-in",
            "/a\r\nSet-Cookie: a=b",
        ] {
            assert_eq!(local_path(Some(path)), HOME, "{path:?}");
        }
        assert_eq!(local_path(None), HOME);
    }

    #[test]
    fn a_form_is_taken_from_our_own_pages_and_from_clients_that_are_no_browser() {
        let config = Config {
            public_url: Some("https://toolhub.example".to_owned()),
            ..Config::default()
        };
        let check = |pairs: &[(&'static str, &str)]| check_origin(&headers(pairs), &config).is_ok();
        assert!(check(&[("host", "127.0.0.1:7700")]));
        assert!(check(&[
            ("host", "127.0.0.1:7700"),
            ("origin", "http://127.0.0.1:7700"),
            ("sec-fetch-site", "same-origin"),
        ]));
        assert!(check(&[
            ("host", "inner:80"),
            ("origin", "https://toolhub.example")
        ]));
        for origin in [
            "https://evil.example",
            "null",
            "https://toolhub.example.evil",
            "127.0.0.1:7700",
        ] {
            assert!(
                !check(&[("host", "127.0.0.1:7700"), ("origin", origin)]),
                "{origin}"
            );
        }
        assert!(!check(&[("host", "a"), ("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("host", "a"), ("sec-fetch-site", "same-site")]));
    }

    #[test]
    fn the_cookie_is_bound_to_the_host_and_to_tls_where_there_is_tls() {
        let mut config = Config::default();
        assert_eq!(
            end_cookie(&config),
            "toolhub_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
        config.public_url = Some("https://toolhub.example".to_owned());
        assert_eq!(
            end_cookie(&config),
            "__Host-toolhub_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
        );
        let found = headers(&[("cookie", "a=b; __Host-toolhub_session=x; toolhub_session=y")]);
        assert_eq!(cookie(&found, name(&config)), Some("x"));
    }
}
