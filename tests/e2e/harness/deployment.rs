//! A server process with its database, a proxy in front, and people who upload.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::{
    MemberId, OrgId, Receipt,
    team::{MemberKind, Role, Scope},
};
use reqwest::StatusCode;
use sha2::{Digest, Sha256};
use store::{Store, team::NewToken};
use testing::{Beside, TestDatabase};

use super::{
    hub::now,
    process::{self, Server},
    proxy::{Proxy, Upstream},
};

/// A server process on a database, reached through a proxy that keeps its address when the server does not.
pub(crate) struct Deployment {
    /// The proxy in front.
    pub(crate) front: Proxy,
    /// The server.
    pub(crate) server: Server,
    /// The address of the database that the server was given.
    pub(crate) database_url: String,
    /// The store on the same database, not through any proxy.
    pub(crate) store: Store,
    /// The org of all members.
    pub(crate) org: OrgId,
    direct_url: String,
    _database: Option<TestDatabase>,
}

/// A member of the org.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The id in the database.
    pub(crate) id: MemberId,
    /// A token; it uploads and reads unless something else was asked for.
    pub(crate) token: String,
}

impl Deployment {
    /// A server on a database of its own.
    pub(crate) async fn start() -> Deployment {
        Deployment::start_with(&[]).await
    }

    /// The same, with further arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Deployment {
        let database = TestDatabase::new().await;
        let url = database.url().to_owned();
        let server = Server::start_with(&url, arguments).await;
        Deployment::with(server, url.clone(), url, Some(database)).await
    }

    /// A server that reaches its database through a proxy.
    pub(crate) async fn behind_proxy() -> (Deployment, Proxy) {
        let database = TestDatabase::new().await;
        let direct = database.url().to_owned();
        let (proxy, through) = Proxy::to_database(&direct).await;
        (Deployment::of(direct, through, Some(database)).await, proxy)
    }

    /// A server with further arguments on a database that the test keeps.
    pub(crate) async fn on(url: &str, arguments: &[&str]) -> Deployment {
        let server = Server::start_with(url, arguments).await;
        Deployment::with(server, url.to_owned(), url.to_owned(), None).await
    }

    async fn of(direct_url: String, database_url: String, database: Option<TestDatabase>) -> Deployment {
        let server = Server::start(&database_url).await;
        Deployment::with(server, direct_url, database_url, database).await
    }

    async fn with(
        server: Server,
        direct_url: String,
        database_url: String,
        database: Option<TestDatabase>,
    ) -> Deployment {
        server.ready().await;
        let store = Store::connect(&direct_url, store::PoolOptions::default())
            .await
            .expect("the database answers");
        let org = store.org_create("acme", now()).await.expect("the org is new");
        Deployment {
            front: Proxy::to(Upstream::Tcp(server.address())).await,
            server,
            database_url,
            store,
            org,
            direct_url,
            _database: database,
        }
    }

    /// Makes a member.
    ///
    /// # Panics
    /// When the handle is taken.
    pub(crate) async fn member(&self, handle: &str) -> Member {
        self.member_with(handle, Role::Member, &[Scope::Upload, Scope::Read])
            .await
    }

    /// Makes a member with a role, and a token with scopes.
    ///
    /// # Panics
    /// When the handle is taken.
    pub(crate) async fn member_with(&self, handle: &str, role: Role, scopes: &[Scope]) -> Member {
        let id = self
            .store
            .member_add(self.org, handle, MemberKind::Person, role, now())
            .await
            .expect("the member is new");
        self.signed_in(id, scopes).await
    }

    /// The member with another token, which has a rate of its own.
    pub(crate) async fn again(&self, member: &Member) -> Member {
        self.signed_in(member.id, &[Scope::Upload, Scope::Read]).await
    }

    async fn signed_in(&self, id: MemberId, scopes: &[Scope]) -> Member {
        let new = NewToken {
            name: "test",
            scopes,
            expires_at: None,
        };
        let token = self.store.token_create(self.org, id, &new, now()).await;
        Member {
            id,
            token: token.expect("a token can be made").reveal().to_owned(),
        }
    }

    /// Kills the server with SIGKILL and starts another; answers the time until that one was ready.
    pub(crate) async fn kill_and_restart(&mut self) -> Duration {
        let next = Server::start(&self.database_url);
        let killed = std::time::Instant::now();
        super::process::send(self.server.pid(), rustix::process::Signal::KILL);
        let old = std::mem::replace(&mut self.server, next.await);
        old.kill().await;
        self.front.lead_to(Upstream::Tcp(self.server.address()));
        self.server.ready().await;
        killed.elapsed()
    }

    /// A session on the database beside the server.
    pub(crate) async fn beside(&self) -> Beside {
        Beside::of(&self.direct_url).await
    }

    /// What is stored: `<member id> <uuid>`, once per row.
    pub(crate) async fn stored(&self) -> Vec<String> {
        let rows = self
            .beside()
            .await
            .ask("select member_id || ' ' || uuid from usage_events")
            .await;
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    }

    /// How many rows are stored.
    pub(crate) async fn rows(&self) -> u64 {
        let count = self
            .beside()
            .await
            .number("select count(*) from usage_events")
            .await;
        count.unsigned_abs()
    }
}

/// A sender other than our client, written from the documented contract alone.
pub(crate) struct Sender {
    http: reqwest::Client,
    url: String,
    statuses: Mutex<BTreeMap<u16, u64>>,
}

impl Sender {
    /// A sender to this server.
    pub(crate) fn to(url: &str) -> Sender {
        Sender {
            http: process::http(),
            url: url.to_owned(),
            statuses: Mutex::default(),
        }
    }

    /// Sends lines once: the receipt if there is one. Counts what else came; 0 means no answer.
    ///
    /// # Panics
    /// When the answer is one that no fault of a network or a database explains.
    pub(crate) async fn send(&self, token: &str, lines: &str) -> Option<Receipt> {
        let (status, receipt) = self.post(token, lines).await;
        *self.count().entry(status).or_default() += 1;
        receipt
    }

    async fn post(&self, token: &str, lines: &str) -> (u16, Option<Receipt>) {
        let answer = self
            .http
            .post(format!("{}/v1/events", self.url))
            .bearer_auth(token)
            .header("content-type", "application/x-ndjson")
            .body(lines.to_owned())
            .send()
            .await;
        let Ok(answer) = answer else { return (0, None) };
        let status = answer.status();
        assert_ne!(
            status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "nothing here may do that"
        );
        if matches!(
            status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        ) {
            assert!(
                answer.headers().contains_key("retry-after"),
                "{status} without Retry-After"
            );
        }
        let Ok(body) = answer.bytes().await else {
            return (0, None);
        };
        let receipt = serde_json::from_slice::<Receipt>(&body)
            .ok()
            .filter(|receipt| status == StatusCode::OK && receipt.batch == sha256(lines));
        (status.as_u16(), receipt)
    }

    /// Sends lines until there is a receipt.
    ///
    /// # Panics
    /// When there is none for so long that it must be a fault of the server.
    pub(crate) async fn deliver(&self, token: &str, lines: &str) -> Receipt {
        let started = std::time::Instant::now();
        loop {
            if let Some(receipt) = self.send(token, lines).await {
                return receipt;
            }
            // The longest fault of the suite is a database that is unavailable for a minute.
            let limit = process::DEADLINE * 3;
            assert!(started.elapsed() < limit, "no receipt within {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How often each status came; 0 means no answer.
    pub(crate) fn statuses(&self) -> BTreeMap<u16, u64> {
        self.count().clone()
    }

    fn count(&self) -> std::sync::MutexGuard<'_, BTreeMap<u16, u64>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sha256(text: &str) -> String {
    model::text::hex(&Sha256::digest(text))
}
