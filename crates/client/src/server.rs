//! HTTP requests to one server, and the classification of its responses.

use std::{error::Error as _, io, sync::Once, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use model::{problem::Problem, token::Token};
pub use reqwest::Method;
use reqwest::header;
use serde::de::DeserializeOwned;

use crate::{
    Error,
    address::{is_loopback, normalize_url},
    environment,
};

/// Time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for a request and its whole response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Least time limit for an attempt: a limit of the user's that is nearly used up must not refuse a healthy server.
const MIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Largest response body that is read; the largest page of a list is far smaller.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// A server, and the token that requests carry.
#[derive(Clone, Debug)]
pub struct Server {
    http: reqwest::Client,
    url: String,
    token: Option<Token>,
    /// Time limit for a request and its whole response.
    timeout: Duration,
}

/// A request that can be sent any number of times.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Bytes,
}

/// A response before its status is classified.
pub(crate) struct RawResponse {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) retry_after: Option<Duration>,
    /// The server's clock.
    pub(crate) date: Option<DateTime<Utc>>,
    /// The server's tag of this version of the answer.
    pub(crate) tag: Option<String>,
}

/// The answer to a request for what may have been had before.
pub(crate) enum Fresh {
    /// It has not changed.
    Same,
    /// Another version.
    New { tag: Option<String>, body: Vec<u8> },
}

/// Why a request failed. Only `Fatal` is final; the others may be temporary.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// No server listens at the address.
    Unreachable(String),
    /// The connection broke or timed out.
    ConnectionFailed(String),
    /// The server cannot answer at the moment (408, 409, 429, 5xx).
    Busy {
        detail: String,
        retry_after: Option<Duration>,
    },
    /// The response does not come from a toolhub server.
    NotToolhub(String),
    /// 413.
    TooLarge(String),
    /// 415: the server does not support the encoding.
    UnsupportedEncoding(Error),
    /// A retry would fail in the same way.
    Fatal(Error),
}

impl Server {
    /// A server at an address. Nothing is sent yet.
    pub fn new(url: &str, token: Option<Token>) -> Result<Server, Error> {
        static PROVIDER: Once = Once::new();
        // An error means that the process has installed a provider already.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let url = normalize_url(url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("toolhub/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect must not carry the token to another host.
            .redirect(reqwest::redirect::Policy::none());
        if url.starts_with("http:") {
            // Plain HTTP needs no certificates, so that an image without any works too.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Unreachable {
            url: url.clone(),
            cause: root_cause(&error),
        })?;
        Ok(Server {
            http,
            url,
            token,
            timeout: REQUEST_TIMEOUT,
        })
    }

    /// The same server with a time limit that the user chose for a request and its whole response, however slowly it
    /// arrives. Zero asks for one attempt, and limits none.
    #[must_use]
    pub fn within(self, limit: Option<Duration>) -> Server {
        let limit = limit.filter(|limit| !limit.is_zero());
        Server {
            timeout: limit.map_or(REQUEST_TIMEOUT, |limit| {
                limit.clamp(MIN_REQUEST_TIMEOUT, REQUEST_TIMEOUT)
            }),
            ..self
        }
    }

    /// The address, as [`normalize_url`] gives it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How long a request and its whole response may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The token, or an error that says how to get one.
    pub fn token(&self) -> Result<&Token, Error> {
        self.token.as_ref().ok_or_else(|| Error::NoCredentials {
            url: self.url.clone(),
        })
    }

    /// The token. Without one, an unreachable server is reported first: logging in needs a server.
    pub async fn authorized(&self) -> Result<&Token, Error> {
        if self.token.is_none() {
            self.request_without_body(Method::GET, "/v1/limits", &[]).await?;
        }
        self.token()
    }

    /// Gets a route that needs a token. Returns the body as the server sent it.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<u8>, Error> {
        self.authorized().await?;
        self.request_without_body(Method::GET, path, query).await
    }

    /// Gets a route and parses the response.
    pub async fn get_as<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let body = self.request_without_body(Method::GET, path, query).await?;
        self.read(&body)
    }

    /// Gets a route again, if it has changed since the response with this tag.
    pub(crate) async fn get_if_changed(
        &self,
        path: &str,
        query: &[(&str, String)],
        tag: Option<&str>,
    ) -> Result<Fresh, Error> {
        let mut headers = header::HeaderMap::new();
        if let Some(tag) = tag.and_then(|tag| header::HeaderValue::from_str(tag).ok()) {
            headers.insert(header::IF_NONE_MATCH, tag);
        }
        let request = Request {
            method: Method::GET,
            path,
            query,
            headers,
            body: Bytes::new(),
        };
        let mut response = self
            .execute(&request)
            .await
            .map_err(|error| error.into_error(&self.url))?;
        if response.status == 304 {
            return Ok(Fresh::Same);
        }
        let tag = response.tag.take();
        match self.classify(response) {
            Ok(body) => Ok(Fresh::New { tag, body }),
            Err(error) => Err(error.into_error(&self.url)),
        }
    }

    /// Checks that the server is ready to serve requests.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        self.request_without_body(Method::GET, "/readyz", &[])
            .await
            .map(drop)
    }

    /// The same server with another token.
    #[must_use]
    pub(crate) fn with_token(&self, token: Token) -> Server {
        Server {
            token: Some(token),
            ..self.clone()
        }
    }

    /// Sends a request with a JSON body. Returns the body of the response as the server sent it.
    pub async fn send<T: serde::Serialize>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&T>,
    ) -> Result<Vec<u8>, Error> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body
            .map_err(|error| Error::Usage(error.to_string()))?
            .unwrap_or_default();
        self.request(method, path, query, body.into()).await
    }

    /// Sends a DELETE request.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.request_without_body(Method::DELETE, path, &[])
            .await
            .map(drop)
    }

    /// Parses a body that a toolhub server should have sent.
    pub fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| Error::NotToolhub {
            url: self.url.clone(),
            what: error.to_string(),
        })
    }

    async fn request_without_body(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<u8>, Error> {
        self.request(method, path, query, Bytes::new()).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Bytes,
    ) -> Result<Vec<u8>, Error> {
        let request = Request {
            method,
            path,
            query,
            headers: header::HeaderMap::new(),
            body,
        };
        match self
            .execute(&request)
            .await
            .and_then(|response| self.classify(response))
        {
            Ok(body) => Ok(body),
            Err(error) => Err(error.into_error(&self.url)),
        }
    }

    /// Sends a request once.
    pub(crate) async fn execute(&self, request: &Request<'_>) -> Result<RawResponse, RequestError> {
        self.execute_within(request, self.timeout).await
    }

    /// Sends a request once. It and its whole response take at most `limit`, and a second if that is longer.
    pub(crate) async fn execute_within(
        &self,
        request: &Request<'_>,
        limit: Duration,
    ) -> Result<RawResponse, RequestError> {
        let mut builder = self
            .http
            .request(request.method.clone(), format!("{}{}", self.url, request.path))
            .timeout(limit.clamp(MIN_REQUEST_TIMEOUT, self.timeout))
            .query(request.query)
            .headers(request.headers.clone());
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token.reveal());
        }
        if !request.body.is_empty() {
            builder = builder.body(request.body.clone());
        }
        let mut response = builder
            .send()
            .await
            .map_err(|error| RequestError::from_transport(&error, &self.url))?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after =
            text(header::RETRY_AFTER).and_then(|value| parse_retry_after(value, environment::now()));
        let date = text(header::DATE).and_then(parse_date);
        let tag = text(header::ETAG).map(str::to_owned);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| RequestError::from_transport(&error, &self.url))?
        {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(RequestError::NotToolhub(format!(
                    "a response of more than {MAX_RESPONSE_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(RawResponse {
            status,
            body,
            retry_after,
            date,
            tag,
        })
    }

    /// Returns the body of a success, else the error that the status stands for.
    pub(crate) fn classify(&self, response: RawResponse) -> Result<Vec<u8>, RequestError> {
        let RawResponse {
            status,
            body,
            retry_after,
            ..
        } = response;
        let url = || self.url.clone();
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let problem = serde_json::from_slice::<Problem>(&body).ok();
        let detail = problem
            .as_ref()
            .map_or_else(|| format!("status {status}"), |problem| clean(&problem.detail));
        let code = problem
            .as_ref()
            .map(|problem| clean(&problem.code))
            .unwrap_or_default();
        let refused = |problem: Option<Problem>, detail: String| {
            let (code, request_id) = problem
                .map(|p| (clean(&p.code), clean(&p.request_id)))
                .unwrap_or_default();
            Error::Refused {
                url: url(),
                status,
                code,
                detail,
                request_id,
            }
        };
        Err(match status {
            401 => RequestError::Fatal(Error::Unauthorized {
                url: url(),
                code,
                detail,
            }),
            403 => RequestError::Fatal(Error::Forbidden {
                url: url(),
                code,
                detail,
            }),
            409 if problem.as_ref().is_some_and(|problem| problem.code == "conflict") => {
                RequestError::Fatal(refused(problem, detail))
            }
            408 | 409 | 429 | 500 | 502 | 503 | 504 => RequestError::Busy { detail, retry_after },
            413 => RequestError::TooLarge(detail),
            415 => RequestError::UnsupportedEncoding(refused(problem, detail)),
            _ if problem.is_none() => RequestError::NotToolhub(detail),
            _ => RequestError::Fatal(refused(problem, detail)),
        })
    }
}

impl RequestError {
    /// The error of a request that got no response.
    fn from_transport(error: &reqwest::Error, url: &str) -> RequestError {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<io::Error>() {
                if inner.kind() == io::ErrorKind::ConnectionRefused {
                    return RequestError::Unreachable("connection refused".into());
                }
                if inner.get_ref().is_some_and(is_not_tls) {
                    let plain = url.replacen("https:", "http:", 1);
                    return RequestError::NotToolhub(format!("it does not speak HTTPS; try {plain}"));
                }
            }
            if url.starts_with("http:")
                && inner
                    .downcast_ref::<hyper::Error>()
                    .is_some_and(hyper::Error::is_parse)
            {
                let secure = url.replacen("http:", "https:", 1);
                return RequestError::NotToolhub(format!("it does not speak plain HTTP; try {secure}"));
            }
            source = inner.source();
        }
        if error.is_timeout() {
            return RequestError::ConnectionFailed("no response in time".into());
        }
        if error.is_connect() {
            RequestError::Unreachable(root_cause(error))
        } else {
            RequestError::ConnectionFailed(root_cause(error))
        }
    }

    /// The error to report when there is no retry.
    pub(crate) fn into_error(self, url: &str) -> Error {
        let url = url.to_owned();
        match self {
            RequestError::Unreachable(cause) | RequestError::ConnectionFailed(cause) => {
                Error::Unreachable { url, cause }
            }
            RequestError::Busy { detail, .. } => Error::Busy { url, detail },
            RequestError::NotToolhub(what) => Error::NotToolhub { url, what },
            RequestError::TooLarge(detail) => Error::Refused {
                url,
                status: 413,
                code: String::new(),
                detail,
                request_id: String::new(),
            },
            RequestError::UnsupportedEncoding(error) | RequestError::Fatal(error) => error,
        }
    }

    /// The cause in a few words.
    pub(crate) fn cause(&self) -> String {
        match self {
            RequestError::Unreachable(cause) | RequestError::ConnectionFailed(cause) => cause.clone(),
            RequestError::Busy { detail, .. } => detail.clone(),
            RequestError::NotToolhub(what) => format!("not a response of a toolhub server: {what}"),
            RequestError::TooLarge(detail) => detail.clone(),
            RequestError::UnsupportedEncoding(error) | RequestError::Fatal(error) => error.to_string(),
        }
    }
}

/// True when the other side answered a TLS handshake with something else.
fn is_not_tls(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    if let Some(rustls::Error::InvalidMessage(_)) = error.downcast_ref() {
        return true;
    }
    // Each layer may wrap the error of the one below.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.is_some_and(is_not_tls)
}

/// The innermost cause: the outer messages ("error sending request") say nothing useful.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    clean(&innermost.to_string())
}

fn clean(text: &str) -> String {
    model::text::clean(text).into_owned()
}

/// Parses the value of a `Retry-After` header: seconds or an HTTP date (RFC 9110, section 10.2.3). `None` for a value that
/// cannot be parsed and for a date in the past.
fn parse_retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    (parse_date(value)? - now).to_std().ok()
}

/// Parses an HTTP date (RFC 9110, section 5.6.7).
fn parse_date(value: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(value).ok().map(DateTime::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_anything_else_is_ignored() {
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        let half_a_minute = Some(Duration::from_secs(30));
        for (value, expected) in [
            ("120", Some(Duration::from_secs(120))),
            ("0", Some(Duration::ZERO)),
            ("Mon, 23 Nov 2026 09:00:30 GMT", half_a_minute),
            ("Monday, 23-Nov-26 09:00:30 GMT", half_a_minute),
            ("Mon Nov 23 09:00:30 2026", half_a_minute),
            ("-5", None),
            ("soon", None),
            ("", None),
            ("Mon, 23 Nov 2026 08:00:00 GMT", None),
        ] {
            assert_eq!(parse_retry_after(value, now), expected, "{value}");
        }
    }
}
