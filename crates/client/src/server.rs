//! One server over HTTP: how it is asked, and how its answers and silences are told apart.

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
    environment, retry,
};

/// Longest time for a connection to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for a request with its answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Longest answer that is read; the greatest page of a list is far below.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A server, and the token it knows us by.
#[derive(Clone, Debug)]
pub struct Server {
    http: reqwest::Client,
    url: String,
    token: Option<Token>,
}

/// A request, ready to be sent any number of times.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(&'a str, String)],
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: Bytes,
}

/// What came back: not judged yet.
pub(crate) struct Answer {
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

/// Why an answer is no success. Only `Stop` is final; the others may pass.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nobody listens at the address.
    NobodyThere(String),
    /// The connection failed, or broke, or timed out.
    Broken(String),
    /// The server says that it cannot serve now.
    Busy {
        detail: String,
        retry_after: Option<Duration>,
    },
    /// The answer does not come from a toolhub server.
    Stranger(String),
    /// 413.
    TooLarge(String),
    /// 415: the server does not know the encoding.
    Encoding(Error),
    /// There is no use in asking again.
    Stop(Error),
}

impl Server {
    /// A server at an address. Nothing is sent yet.
    pub fn new(url: &str, token: Option<Token>) -> Result<Server, Error> {
        static PROVIDER: Once = Once::new();
        // An error means that the process has installed one already: just as well.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let url = normalize_url(url)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("toolhub/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // A token must not follow a redirect to somewhere else.
            .redirect(reqwest::redirect::Policy::none());
        if url.starts_with("http:") {
            // Plain HTTP needs no certificates: a small image without any can still talk to its server.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Unreachable {
            url: url.clone(),
            cause: deepest(&error),
        })?;
        Ok(Server { http, url, token })
    }

    /// The address, as [`normalize_url`] gives it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token, or the error that tells how to get one.
    pub fn token(&self) -> Result<&Token, Error> {
        self.token.as_ref().ok_or_else(|| Error::NoCredentials {
            url: self.url.clone(),
        })
    }

    /// The token. Without one: that nobody is there, if nobody is, because a server to log in to comes first.
    pub async fn authorized(&self) -> Result<&Token, Error> {
        if self.token.is_none() {
            self.once(Method::GET, "/v1/limits", &[]).await?;
        }
        self.token()
    }

    /// Asks for a route that needs a token; answers the body as the server sent it.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<u8>, Error> {
        self.authorized().await?;
        self.once(Method::GET, path, query).await
    }

    /// Asks for a route and reads the answer.
    pub async fn get_as<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let body = self.once(Method::GET, path, query).await?;
        self.read(&body)
    }

    /// Asks for a route whose answer was had before, under a tag.
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
        let ask = Ask {
            method: Method::GET,
            path,
            query,
            headers,
            body: Bytes::new(),
        };
        let mut answer = self
            .ask(&ask)
            .await
            .map_err(|trouble| trouble.into_error(&self.url))?;
        if answer.status == 304 {
            return Ok(Fresh::Same);
        }
        let tag = answer.tag.take();
        match self.judge(answer) {
            Ok(body) => Ok(Fresh::New { tag, body }),
            Err(trouble) => Err(trouble.into_error(&self.url)),
        }
    }

    /// Asks whether the server can do its work.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        self.once(Method::GET, "/readyz", &[]).await.map(drop)
    }

    /// The same server with another token.
    #[must_use]
    pub fn with_token(&self, token: Token) -> Server {
        Server {
            token: Some(token),
            ..self.clone()
        }
    }

    /// Asks for something to be done; answers the body as the server sent it.
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

    /// Deletes something.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.once(Method::DELETE, path, &[]).await.map(drop)
    }

    /// Reads a body that should be ours.
    pub fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|error| Error::NotToolhub {
            url: self.url.clone(),
            what: error.to_string(),
        })
    }

    async fn once(&self, method: Method, path: &str, query: &[(&str, String)]) -> Result<Vec<u8>, Error> {
        self.request(method, path, query, Bytes::new()).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Bytes,
    ) -> Result<Vec<u8>, Error> {
        let ask = Ask {
            method,
            path,
            query,
            headers: header::HeaderMap::new(),
            body,
        };
        match self.ask(&ask).await.and_then(|answer| self.judge(answer)) {
            Ok(body) => Ok(body),
            Err(trouble) => Err(trouble.into_error(&self.url)),
        }
    }

    /// Sends a request once.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        let mut request = self
            .http
            .request(ask.method.clone(), format!("{}{}", self.url, ask.path))
            .query(ask.query)
            .headers(ask.headers.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        if !ask.body.is_empty() {
            request = request.body(ask.body.clone());
        }
        let mut response = request.send().await.map_err(|error| Trouble::of(&error))?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after =
            text(header::RETRY_AFTER).and_then(|value| retry::retry_after(value, environment::now()));
        let date = text(header::DATE)
            .and_then(|value| DateTime::parse_from_rfc2822(value).ok())
            .map(|date| date.with_timezone(&Utc));
        let tag = text(header::ETAG).map(str::to_owned);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Trouble::of(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(Trouble::Stranger(format!(
                    "an answer of more than {ANSWER_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            body,
            retry_after,
            date,
            tag,
        })
    }

    /// The body of a success, or what the status means.
    pub(crate) fn judge(&self, answer: Answer) -> Result<Vec<u8>, Trouble> {
        let Answer {
            status,
            body,
            retry_after,
            ..
        } = answer;
        let url = || self.url.clone();
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let problem = serde_json::from_slice::<Problem>(&body).ok();
        let detail = problem
            .as_ref()
            .map_or_else(|| format!("status {status}"), |problem| clean(&problem.detail));
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
            401 => Trouble::Stop(Error::Unauthorized { url: url(), detail }),
            403 => Trouble::Stop(Error::Forbidden { url: url(), detail }),
            409 if problem.as_ref().is_some_and(|problem| problem.code == "conflict") => {
                Trouble::Stop(refused(problem, detail))
            }
            408 | 409 | 429 | 500 | 502 | 503 | 504 => Trouble::Busy { detail, retry_after },
            413 => Trouble::TooLarge(detail),
            415 => Trouble::Encoding(refused(problem, detail)),
            _ if problem.is_none() => Trouble::Stranger(detail),
            _ => Trouble::Stop(refused(problem, detail)),
        })
    }
}

impl Trouble {
    /// What the transport reports.
    fn of(error: &reqwest::Error) -> Trouble {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<io::Error>()
                && inner.kind() == io::ErrorKind::ConnectionRefused
            {
                return Trouble::NobodyThere("connection refused".into());
            }
            source = inner.source();
        }
        if error.is_timeout() {
            return Trouble::Broken("no answer in time".into());
        }
        if error.is_connect() {
            Trouble::NobodyThere(deepest(error))
        } else {
            Trouble::Broken(deepest(error))
        }
    }

    /// The error when nothing is tried again.
    pub(crate) fn into_error(self, url: &str) -> Error {
        let url = url.to_owned();
        match self {
            Trouble::NobodyThere(cause) | Trouble::Broken(cause) => Error::Unreachable { url, cause },
            Trouble::Busy { detail, .. } => Error::Busy { url, detail },
            Trouble::Stranger(what) => Error::NotToolhub { url, what },
            Trouble::TooLarge(detail) => Error::Refused {
                url,
                status: 413,
                code: String::new(),
                detail,
                request_id: String::new(),
            },
            Trouble::Encoding(error) | Trouble::Stop(error) => error,
        }
    }

    /// The cause in a few words.
    pub(crate) fn cause(&self) -> String {
        match self {
            Trouble::NobodyThere(cause) | Trouble::Broken(cause) => cause.clone(),
            Trouble::Busy { detail, .. } => detail.clone(),
            Trouble::Stranger(what) => format!("the answer is not a toolhub server's: {what}"),
            Trouble::TooLarge(detail) => detail.clone(),
            Trouble::Encoding(error) | Trouble::Stop(error) => error.to_string(),
        }
    }
}

/// The innermost cause: what the outer errors say ("error sending request") helps nobody.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    clean(&innermost.to_string())
}

fn clean(text: &str) -> String {
    model::text::clean(text).into_owned()
}
