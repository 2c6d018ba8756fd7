//! Every route of the API with what it takes and answers. The router says who may call it.

use axum::http::Method;
use model::{
    Receipt,
    administration::{
        AddedMember, Audit, Deleted, DeviceLogin, DeviceLoginRequest, DeviceTokenRequest, ExchangeRequest,
        Invitation, IssuedToken, Member, MemberChange, MemberRequest, Members, MyChange, MySettings,
        OrgChange, OrgSettings, PageLink, PageLinkRequest, Publisher, PublisherRequest, Publishers,
        RotateRequest, TokenRequest, Tokens,
    },
    api::{
        CI_HEADER, DeadWeight, DecisionRequest, Decisions, Events, GatesRequest, Leaderboard, Me, OrgPrices,
        Overview, Prices, PricesChange, RefreshState, Run, SOURCE_HEADER, Savings, ScoreDetail, Scores,
        ToolDecision, Uploads, UsageReport,
        query::{
            AuditQuery, DeadWeightQuery, DecisionsQuery, EraseQuery, EventsQuery, LeaderboardQuery,
            MembersQuery, OverviewQuery, PricesQuery, PublishersQuery, RefreshQuery, SavingsQuery,
            ScoreQuery, ScoresQuery, TokensQuery, UploadsQuery, UsageQuery,
        },
    },
    inventory::{Inventory, InventoryReceipt},
    limits::Limits,
    usage::{Usage, UsageReceipt},
};
use schemars::JsonSchema;
use serde_json::Value;

use super::schemas::Schemas;

/// The groups of operations.
pub(super) const TAGS: [(&str, &str); 5] = [
    ("upload", "What uploaders and CI send"),
    ("read", "Scores, boards, audits, events and uploads"),
    ("me", "The caller: who they are, their settings and their data"),
    (
        "team",
        "The org, its members, tokens, trusted publishers, prices and audit log",
    ),
    ("server", "The server: its limits, this document, and probes"),
];

/// What an operation answers.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// JSON with this schema.
    Json(fn(&mut Schemas) -> Value),
    /// Something of another media type.
    Other(&'static str),
    /// No body.
    Nothing,
}

/// The schema of a body, and the media types in which it may be sent.
pub(super) type Body = (&'static [&'static str], fn(&mut Schemas) -> Value);

/// An operation of the API.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) query: Option<fn(&mut Schemas) -> Vec<Value>>,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: Option<Body>,
    pub(super) answer: Answer,
    pub(super) status: u16,
    pub(super) done: &'static str,
    /// The answer has an ETag.
    pub(super) cached: bool,
    pub(super) errors: &'static [(u16, &'static str)],
}

impl Operation {
    fn new(method: Method, path: &'static str, tag: &'static str, summary: &'static str) -> Operation {
        Operation {
            method,
            path,
            tag,
            summary,
            details: "",
            query: None,
            headers: &[],
            body: None,
            answer: Answer::Nothing,
            status: 200,
            done: "Done",
            cached: false,
            errors: &[],
        }
    }

    /// A name for generated clients: the method and the path.
    pub(super) fn id(&self) -> String {
        let mut id = self.method.as_str().to_ascii_lowercase();
        let words = self
            .path
            .trim_start_matches("/v1")
            .split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| !word.is_empty()) {
            id.push('_');
            id.push_str(word);
        }
        id
    }

    fn details(mut self, details: &'static str) -> Operation {
        self.details = details;
        self
    }

    fn query<T: JsonSchema>(mut self) -> Operation {
        self.query = Some(Schemas::parameters::<T>);
        self
    }

    fn body<T: JsonSchema>(mut self) -> Operation {
        self.body = Some((&["application/json"], Schemas::request::<T>));
        self
    }

    fn answers<T: JsonSchema>(mut self, done: &'static str) -> Operation {
        self.answer = Answer::Json(Schemas::answer::<T>);
        self.done = done;
        self
    }

    fn creates<T: JsonSchema>(mut self, done: &'static str) -> Operation {
        self.status = 201;
        self.answers::<T>(done)
    }

    fn fails(mut self, errors: &'static [(u16, &'static str)]) -> Operation {
        self.errors = errors;
        self
    }
}

/// An event as `POST /v1/events` takes it.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "only its schema is used: events are read one by one, so that one costs no other"
)]
struct Event {
    /// The agent's own id of the call. Without it the server gives one, and the same event sent twice is two events.
    #[schemars(length(min = 1, max = 128))]
    uuid: Option<String>,
    /// `<kind>:<name>`.
    tool_id: model::ToolId,
    /// What was called inside the tool, such as the name of an MCP tool.
    operation: Option<String>,
    /// The agent's session.
    session_id: Option<String>,
    /// The project.
    project: Option<String>,
    /// The text of the person's request. Off by default, at the client and at the server.
    task_text: Option<String>,
    /// How the call ended.
    outcome: model::Outcome,
    /// Why, of a failure or an abandoned call.
    reason: Option<model::Reason>,
    /// How long it took, in ms.
    duration_ms: Option<f64>,
    /// What it cost, in USD.
    cost_usd: Option<f64>,
    /// What ran inside it cost, in USD, where it started an agent.
    run_cost_usd: Option<f64>,
    /// The model that made the call.
    model: Option<String>,
    /// The agent program.
    agent: Option<String>,
    /// Its version.
    agent_version: Option<String>,
    /// The git branch.
    git_branch: Option<String>,
    /// When the call was made.
    occurred_at: chrono::DateTime<chrono::Utc>,
}

/// A batch of events: at most 5,000.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Batch {
    /// The events.
    events: Vec<Event>,
}

/// A message of JSON-RPC.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Message {
    /// `2.0`.
    jsonrpc: Option<String>,
    /// What the answer repeats; a notification has none.
    id: Option<Value>,
    /// `initialize`, `ping`, `tools/list` or `tools/call`.
    method: Option<String>,
    /// The parameters of the method.
    params: Option<Value>,
}

const UNKNOWN: &[(u16, &str)] = &[(404, "There is no such thing; `detail` names the nearest")];
const BODY: &[(u16, &str)] = &[
    (413, "The body is too large, or has too many events"),
    (
        415,
        "The media type or encoding of the body is not one that this route takes",
    ),
    (422, "The body is not what this route takes"),
];
const BODY_UNKNOWN: &[(u16, &str)] = &[
    (404, "There is no such thing; `detail` names the nearest"),
    (409, "It conflicts with what is there"),
    (413, "The body is too large"),
    (415, "The media type of the body is not JSON"),
    (422, "The body is not what this route takes"),
];

/// Every operation, in the order of the router.
pub(super) fn operations() -> Vec<Operation> {
    let get = |path, tag, summary| Operation::new(Method::GET, path, tag, summary);
    let post = |path, tag, summary| Operation::new(Method::POST, path, tag, summary);
    let put = |path, tag, summary| Operation::new(Method::PUT, path, tag, summary);
    let patch = |path, tag, summary| Operation::new(Method::PATCH, path, tag, summary);
    let delete = |path, tag, summary| Operation::new(Method::DELETE, path, tag, summary);
    let nothing = |mut operation: Operation| {
        operation.status = 204;
        operation
    };
    let mut ingest = post("/v1/events", "upload", "Upload events")
        .details(
            "Each event is stored once for its member, by `uuid`. The counts of the receipt add up to `received`; one \
             invalid event costs no other. 200 means: committed.",
        )
        .answers::<Receipt>("The receipt")
        .fails(BODY);
    ingest.body = Some((
        &["application/json", "application/x-ndjson"],
        Schemas::request::<Batch>,
    ));
    ingest.headers = &[
        (
            SOURCE_HEADER,
            "Where the events come from: `jsonl`, `otlp` or `api`",
        ),
        (CI_HEADER, "Facts about the CI run, as JSON"),
        ("content-encoding", "`gzip`, `zstd` or `identity`"),
    ];
    let otlp = |path, summary| {
        let mut otlp = post(path, "upload", summary).details("`docs/telemetry.md`. Errors are a `Status`.");
        otlp.body = Some((&["application/x-protobuf", "application/json"], |_| {
            Value::Bool(true)
        }));
        otlp.answer = Answer::Other("application/x-protobuf");
        otlp.fails(BODY)
    };
    let mut prices = get("/v1/prices", "team", "The price table, with the org's overrides")
        .query::<PricesQuery>()
        .answers::<Prices>("The prices");
    prices.cached = true;
    let mut openapi = get("/openapi.json", "server", "This document").details("Public and cacheable.");
    openapi.answer = Answer::Other("application/json");
    openapi.cached = true;
    let probe = |path, summary| {
        let mut probe = get(path, "server", summary);
        probe.answer = Answer::Other("text/plain");
        probe
    };
    let mut ready = get("/readyz", "server", "Whether the server can serve")
        .details("503, with the same body, while it cannot.");
    ready.answer = Answer::Other("application/json");
    let mut mcp = post(
        "/mcp",
        "read",
        "Answer an agent, as an MCP server over streamable HTTP",
    )
    .details("Aggregates of the org, in a few words. Each message is answered by itself, as JSON.")
    .body::<Message>()
    .fails(&[
        (202, "The message was a notification, which has no answer"),
        (413, "The body is too large"),
    ]);
    mcp.answer = Answer::Other("application/json");
    mcp.done = "The answer, as JSON-RPC";
    let mut export = get("/v1/me/data", "me", "Everything that is stored about the caller");
    export.answer = Answer::Other("application/json");
    export.done = "The document, streamed: complete when it ends with `}`";
    vec![
        ingest,
        get("/v1/events", "read", "Events, newest first")
            .query::<EventsQuery>()
            .answers::<Events>("A page of events")
            .fails(UNKNOWN),
        put(
            "/v1/inventory",
            "upload",
            "Upload what sessions loaded and what a machine has installed",
        )
        .details("Sending it again changes nothing.")
        .body::<Inventory>()
        .answers::<InventoryReceipt>("The receipt")
        .fails(BODY),
        put("/v1/usage", "upload", "Upload what responses of models used")
            .details("A response counts once, by the agent's own id; sending it again changes nothing.")
            .body::<Usage>()
            .answers::<UsageReceipt>("The receipt")
            .fails(BODY),
        post("/v1/gates", "upload", "Judge the calls of a run")
            .details("Reads the caller's own events in the sessions, and no others.")
            .body::<GatesRequest>()
            .answers::<Run>("The calls of the run by tool, and its gates")
            .fails(BODY),
        otlp("/otlp/v1/logs", "Receive OpenTelemetry logs (OTLP/HTTP)"),
        otlp("/otlp/v1/traces", "Receive OpenTelemetry traces (OTLP/HTTP)"),
        otlp("/otlp/v1/metrics", "Accept OpenTelemetry metrics and drop them"),
        mcp,
        get("/v1/limits", "server", "The limits of requests").answers::<Limits>("The limits"),
        get("/v1/scores", "read", "The score of each tool over all its events")
            .query::<ScoresQuery>()
            .answers::<Scores>("A page of scores"),
        get("/v1/scores/{tool_id}", "read", "One tool in depth, over a window")
            .query::<ScoreQuery>()
            .answers::<ScoreDetail>("The tool")
            .fails(UNKNOWN),
        get(
            "/v1/leaderboards/{board}",
            "read",
            "Tools, members or projects, best first",
        )
        .query::<LeaderboardQuery>()
        .answers::<Leaderboard>("A page of the board")
        .fails(UNKNOWN),
        get(
            "/v1/usage",
            "read",
            "What responses of models used, those that call no tool included",
        )
        .query::<UsageQuery>()
        .answers::<UsageReport>("A page of models, members, projects or days")
        .fails(UNKNOWN),
        get(
            "/v1/dead-weight",
            "read",
            "Tools that are known, loaded or installed, and not used",
        )
        .query::<DeadWeightQuery>()
        .answers::<DeadWeight>("A page of tools, heaviest first")
        .fails(UNKNOWN),
        get(
            "/v1/decisions",
            "read",
            "What was decided about tools, newest first",
        )
        .query::<DecisionsQuery>()
        .answers::<Decisions>("A page of decisions")
        .fails(UNKNOWN),
        put(
            "/v1/decisions/{tool_id}",
            "team",
            "Decide about a tool: keep, retire or watch it",
        )
        .details("Audits leave the tool out while the decision holds.")
        .body::<DecisionRequest>()
        .answers::<ToolDecision>("The decision")
        .fails(BODY_UNKNOWN),
        nothing(
            delete(
                "/v1/decisions/{tool_id}",
                "team",
                "Take the decision about a tool back",
            )
            .fails(UNKNOWN),
        ),
        get("/v1/savings", "read", "What retired tools saved, against before")
            .query::<SavingsQuery>()
            .answers::<Savings>("A page of retired tools, the latest decision first")
            .fails(UNKNOWN),
        get("/v1/overview", "read", "The org at a glance")
            .query::<OverviewQuery>()
            .answers::<Overview>("The totals of the window, of the one before, and by day"),
        get("/v1/uploads", "read", "Uploads with their receipts, newest first")
            .query::<UploadsQuery>()
            .answers::<Uploads>("A page of uploads")
            .fails(UNKNOWN),
        get("/v1/refresh", "read", "How fresh scores and boards are")
            .query::<RefreshQuery>()
            .answers::<RefreshState>("When they were last refreshed"),
        get("/v1/me", "me", "Who the token belongs to, and what it may do").answers::<Me>("The caller"),
        get("/v1/me/settings", "me", "The caller's settings").answers::<MySettings>("The settings"),
        patch("/v1/me/settings", "me", "Change the caller's settings")
            .body::<MyChange>()
            .answers::<MySettings>("The settings as they are now")
            .fails(BODY),
        export,
        delete(
            "/v1/me/data",
            "me",
            "Delete everything that the caller has uploaded",
        )
        .query::<EraseQuery>()
        .answers::<Deleted>("What was deleted"),
        get("/v1/org", "team", "The settings of the org").answers::<OrgSettings>("The settings"),
        patch("/v1/org", "team", "Change the settings of the org")
            .body::<OrgChange>()
            .answers::<OrgSettings>("The settings as they are now")
            .fails(BODY_UNKNOWN),
        prices,
        put("/v1/prices", "team", "Replace the org's overrides of prices")
            .body::<PricesChange>()
            .answers::<OrgPrices>("The overrides as they are now")
            .fails(BODY),
        get("/v1/members", "team", "The members")
            .query::<MembersQuery>()
            .answers::<Members>("A page of members"),
        post("/v1/members", "team", "Add a member, with an invitation")
            .body::<MemberRequest>()
            .creates::<AddedMember>("The member and the invitation")
            .fails(BODY_UNKNOWN),
        get("/v1/members/{handle}", "team", "One member")
            .answers::<Member>("The member")
            .fails(UNKNOWN),
        patch(
            "/v1/members/{handle}",
            "team",
            "Change a member: handle, role, or whether they are active",
        )
        .body::<MemberChange>()
        .answers::<Member>("The member as they are now")
        .fails(BODY_UNKNOWN),
        post("/v1/members/{handle}/invitation", "team", "Invite a member again")
            .creates::<Invitation>("The invitation; earlier ones end")
            .fails(UNKNOWN),
        delete(
            "/v1/members/{handle}/data",
            "team",
            "Delete everything that a member has uploaded",
        )
        .query::<EraseQuery>()
        .answers::<Deleted>("What was deleted")
        .fails(UNKNOWN),
        get("/v1/tokens", "team", "Tokens: the caller's, or all for an admin")
            .query::<TokensQuery>()
            .answers::<Tokens>("A page of tokens")
            .fails(UNKNOWN),
        post("/v1/tokens", "team", "Make a token")
            .body::<TokenRequest>()
            .creates::<IssuedToken>("The token, shown once")
            .fails(BODY_UNKNOWN),
        post(
            "/v1/tokens/current/rotate",
            "team",
            "Replace the token of this request",
        )
        .body::<RotateRequest>()
        .creates::<IssuedToken>("The new token; the old one ends after the overlap")
        .fails(BODY),
        nothing(delete(
            "/v1/tokens/current",
            "team",
            "Revoke the token of this request",
        )),
        post("/v1/tokens/{token_id}/rotate", "team", "Replace a token")
            .body::<RotateRequest>()
            .creates::<IssuedToken>("The new token; the old one ends after the overlap")
            .fails(BODY_UNKNOWN),
        nothing(delete("/v1/tokens/{token_id}", "team", "Revoke a token").fails(UNKNOWN)),
        get("/v1/audit", "team", "Administrative actions, newest first")
            .query::<AuditQuery>()
            .answers::<Audit>("A page of the log")
            .fails(UNKNOWN),
        get("/v1/trusted-publishers", "team", "CI identities that may upload")
            .query::<PublishersQuery>()
            .answers::<Publishers>("A page of trusted publishers"),
        post("/v1/trusted-publishers", "team", "Trust a CI identity")
            .body::<PublisherRequest>()
            .creates::<Publisher>("The trusted publisher")
            .fails(BODY_UNKNOWN),
        nothing(
            delete(
                "/v1/trusted-publishers/{publisher_id}",
                "team",
                "No longer trust a CI identity",
            )
            .fails(UNKNOWN),
        ),
        post(
            "/v1/oidc/exchange",
            "upload",
            "Exchange a CI identity token for an upload token of 30 minutes",
        )
        .body::<ExchangeRequest>()
        .answers::<IssuedToken>("The token")
        .fails(&[
            (401, "The identity token is invalid, or nothing trusts it"),
            (
                403,
                "The identity is trusted by several orgs, or was used already",
            ),
            (413, "The body is too large"),
            (415, "The media type of the body is not JSON"),
            (422, "The body is not what this route takes"),
        ]),
        post(
            "/v1/device-logins",
            "me",
            "Begin the login of a machine, which a person confirms in a browser",
        )
        .details("The flow is that of RFC 8628.")
        .body::<DeviceLoginRequest>()
        .creates::<DeviceLogin>("The codes")
        .fails(BODY),
        post(
            "/v1/device-logins/token",
            "me",
            "Get the token of a login that was confirmed, once",
        )
        .details(
            "Until then 400 with the code `authorization_pending`, `slow_down`, `access_denied` or `expired_token`.",
        )
        .body::<DeviceTokenRequest>()
        .answers::<IssuedToken>("The token")
        .fails(BODY),
        post(
            "/v1/page-links",
            "me",
            "Make a link that signs in to the pages once",
        )
        .body::<PageLinkRequest>()
        .creates::<PageLink>("The link")
        .fails(BODY),
        openapi,
        probe("/livez", "Whether the process runs"),
        ready,
        probe("/metrics", "Figures for Prometheus"),
    ]
}
