//! A server for one test.

use std::{net::TcpListener, time::Duration};

use chrono::{DateTime, Utc};
use model::{
    MemberId, OrgId, Receipt,
    api::RefreshState,
    team::{MemberKind, Role, Scope},
};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use server::Config;
use store::{Store, team::NewToken};
use testing::{Beside, TestDatabase};

use super::Answer;

/// A running server with an empty database. It ends with the test.
pub(crate) struct Hub {
    /// Where it listens: `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    /// The store behind it, for what a test prepares or inspects directly.
    pub(crate) store: Store,
    http: Client,
    /// Dropped last: the database goes when the test is over.
    database: TestDatabase,
}

/// An org on a [`Hub`].
#[derive(Clone, Debug)]
pub(crate) struct Org {
    /// Its id in the database.
    pub(crate) id: OrgId,
}

/// A client with a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The handle of the member.
    pub(crate) handle: String,
    /// The member's id in the database.
    pub(crate) member: MemberId,
    /// The token in plain text.
    pub(crate) token: String,
    url: String,
    http: Client,
}

impl Hub {
    /// Starts a server that refreshes its scores as soon as an event has come.
    pub(crate) async fn start() -> Hub {
        Hub::start_with(Config {
            public_url: Some("https://toolhub.example".to_owned()),
            refresh_debounce: Duration::from_millis(5),
            ..Config::default()
        })
        .await
    }

    /// Starts a server.
    ///
    /// # Panics
    /// When there is no PostgreSQL to test with.
    pub(crate) async fn start_with(config: Config) -> Hub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        Hub::start_at(listener, config).await
    }

    /// Starts a server on a socket that is bound already.
    ///
    /// # Panics
    /// When there is no PostgreSQL to test with.
    pub(crate) async fn start_at(listener: TcpListener, config: Config) -> Hub {
        // An error means that the same provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = TestDatabase::new().await;
        let store = database.store().await;
        let address = listener.local_addr().expect("a bound socket has an address");
        tokio::spawn(server::serve(
            store.clone(),
            listener,
            config,
            std::future::pending(),
        ));
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("an HTTP client can be made");
        Hub {
            url: format!("http://{address}"),
            store,
            http,
            database,
        }
    }

    /// Starts a further server on the same database; answers where it listens.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub(crate) async fn second_server(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        tokio::spawn(server::serve(
            self.store.clone(),
            listener,
            Config::default(),
            std::future::pending(),
        ));
        format!("http://{address}")
    }

    /// A session on the database beside the server.
    pub(crate) async fn beside(&self) -> Beside {
        Beside::of(self.database.url()).await
    }

    /// Makes an org.
    ///
    /// # Panics
    /// When it exists.
    pub(crate) async fn org(&self, slug: &str) -> Org {
        let id = self.store.org_create(slug, now()).await.expect("the org is new");
        Org { id }
    }

    /// Makes a member who may upload and read.
    pub(crate) async fn member(&self, org: &Org, handle: &str) -> Caller {
        self.member_with(org, handle, Role::Member, &[Scope::Upload, Scope::Read])
            .await
    }

    /// Makes a member with a role, and a token with scopes.
    ///
    /// # Panics
    /// When the org has the member already.
    pub(crate) async fn member_with(&self, org: &Org, handle: &str, role: Role, scopes: &[Scope]) -> Caller {
        let member = self
            .store
            .member_add(org.id, handle, MemberKind::Person, role, now())
            .await;
        let member = member.expect("the member is new");
        self.token(org, member, handle, scopes, None).await
    }

    /// Makes a further token for a member.
    ///
    /// # Panics
    /// When the database fails.
    pub(crate) async fn token(
        &self,
        org: &Org,
        member: MemberId,
        handle: &str,
        scopes: &[Scope],
        expires_at: Option<DateTime<Utc>>,
    ) -> Caller {
        let new = NewToken {
            name: "test",
            scopes,
            expires_at,
        };
        let token = self
            .store
            .token_create(org.id, member, &new, now())
            .await
            .expect("a token can be made");
        Caller {
            handle: handle.to_owned(),
            member,
            ..self.stranger(token.reveal())
        }
    }

    /// A client with this text as its token.
    pub(crate) fn stranger(&self, token: &str) -> Caller {
        Caller {
            handle: "stranger".to_owned(),
            member: MemberId(0),
            token: token.to_owned(),
            url: self.url.clone(),
            http: self.http.clone(),
        }
    }

    /// A request without a token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Asks without a token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }
}

impl Caller {
    /// The same caller, at another server.
    #[must_use]
    pub(crate) fn at(mut self, url: &str) -> Caller {
        self.url = url.to_owned();
        self
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    /// Sends a request that [`Caller::request`] made.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request).await
    }

    /// Reads a route.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends bytes as a batch of this media type.
    pub(crate) async fn post(&self, media_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self
            .request(Method::POST, "/v1/events")
            .header("content-type", media_type);
        self.send(request.body(body)).await
    }

    /// Uploads events as JSON; the answer is a receipt.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub(crate) fn upload(&self, events: &[Value]) -> impl Future<Output = Receipt> {
        let body = json!({ "events": events }).to_string();
        async move { self.post("application/json", body).await.receipt() }
    }

    /// Waits until the scores hold everything that was stored before.
    ///
    /// # Panics
    /// When they do not within half a minute.
    pub(crate) async fn refreshed(&self) -> RefreshState {
        let state: RefreshState = self.get("/v1/refresh?wait=25").await.ok();
        assert!(!state.pending, "{state:?}");
        state
    }
}

/// The clock, as the server reads it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is an edge: it plays the outside world"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
