//! The bodies of the administrative routes: members, tokens, trusted publishers, settings, the audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    api::CiContext,
    team::{MemberKind, Role, Scope},
    token::{self, Secret, Token},
};

/// Days until a token expires, by default.
pub const DEFAULT_TOKEN_DAYS: u32 = 90;
/// Days until an invitation expires.
pub const INVITATION_DAYS: u32 = 7;
/// Days after which a page session ends.
pub const PAGE_SESSION_DAYS: u32 = 30;
/// Minutes for which a link that signs in to the pages works.
pub const PAGE_LINK_MINUTES: u32 = 10;
/// Minutes within which a person confirms a login of the command line.
pub const DEVICE_LOGIN_MINUTES: u32 = 10;
/// Seconds between the questions of a machine that waits for its confirmation.
pub const DEVICE_LOGIN_SECONDS: i32 = 2;
/// Longest name of a machine that logs in, in characters.
pub const MACHINE_CHARS: usize = 64;
/// Hours for which a rotated token remains valid, by default.
pub const DEFAULT_OVERLAP_HOURS: u32 = 24;
/// Longest overlap of a rotation, in hours.
pub const MAX_OVERLAP_HOURS: u32 = 168;
/// Minutes until a token that a CI run exchanged its identity for expires.
pub const EXCHANGED_MINUTES: i64 = 30;
/// The name of the token that invites a member. `toolhub login` exchanges it for a new one.
pub const INVITATION: &str = "invitation";

macro_rules! bodies {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? })*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    )*};
}

/// Requests: an unknown key is an error, so that a mistyped key is not silently ignored.
macro_rules! requests {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>
            ),*
        }
    )*};
}

bodies! {
    /// A member of the org.
    pub struct Member {
        /// The name that boards show.
        pub handle: String,
        /// Person or CI.
        pub kind: MemberKind,
        /// What the member may do.
        pub role: Role,
        /// When the member was added.
        pub created_at: DateTime<Utc>,
        /// When the member was deactivated; null while active.
        pub deactivated_at: Option<DateTime<Utc>>,
        /// Tokens that work.
        pub tokens: i64,
        /// When one of the tokens was last used, to the minute.
        pub last_seen_at: Option<DateTime<Utc>>,
    }

    /// `GET /v1/members`.
    pub struct Members {
        /// The members, by handle.
        pub members: Vec<Member>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }

    /// The description of a token: everything but the token itself.
    pub struct TokenInfo {
        /// Id of the token, for rotating and revoking it.
        pub token_id: String,
        /// The member that it authenticates.
        pub member: String,
        /// Its name.
        pub name: String,
        /// Its scopes, within the role of the member.
        pub scopes: Vec<Scope>,
        /// When it was created.
        pub created_at: DateTime<Utc>,
        /// When it expires; null for never.
        pub expires_at: Option<DateTime<Utc>>,
        /// When it was revoked.
        pub revoked_at: Option<DateTime<Utc>>,
        /// When it was last used, to the minute.
        pub last_used_at: Option<DateTime<Utc>>,
        /// The CI run that exchanged its identity for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ci: Option<CiContext>,
    }

    /// `GET /v1/tokens`.
    pub struct Tokens {
        /// The tokens, newest first.
        pub tokens: Vec<TokenInfo>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }

    /// A new token: the only response that contains it.
    pub struct IssuedToken {
        /// The token in plain text. It is not shown again.
        #[serde(serialize_with = "token::reveal", deserialize_with = "token::read")]
        pub token: Token,
        /// Its description.
        #[serde(flatten)]
        pub info: TokenInfo,
    }

    /// `POST /v1/page-links`: a link that signs a browser in, once.
    pub struct PageLink {
        /// The path and the query, to be put behind the address of the server.
        pub path: String,
        /// When it stops working.
        pub expires_at: DateTime<Utc>,
    }

    /// `POST /v1/device-logins`: a login that waits for a person.
    pub struct DeviceLogin {
        /// What the machine asks for its token with. A secret.
        pub device_code: Secret,
        /// What the person confirms, as it is shown.
        pub user_code: String,
        /// The path of the page that confirms it, to be put behind the address of the server.
        pub path: String,
        /// Seconds until both codes stop working.
        pub expires_in: u32,
        /// Seconds to wait between two questions.
        pub interval: u32,
    }

    /// `POST /v1/device-logins/token`.
    #[serde(deny_unknown_fields)]
    pub struct DeviceTokenRequest {
        /// The code that the machine got.
        pub device_code: Secret,
    }

    /// `POST /v1/members/{handle}/invitation`: a token of seven days, to pass on. `toolhub login --with-token` exchanges it
    /// for a new one.
    pub struct Invitation {
        /// The token.
        #[serde(flatten)]
        pub token: IssuedToken,
        /// The address under which members reach the server, where it knows it (`serve --public-url`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub server_url: Option<String>,
    }

    /// `POST /v1/members`: the member, and an invitation where one was requested.
    pub struct AddedMember {
        /// The member.
        #[serde(flatten)]
        pub member: Member,
        /// The invitation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub invitation: Option<Invitation>,
    }

    /// One entry of the audit log.
    pub struct AuditEntry {
        /// Id of the entry.
        pub audit_id: String,
        /// When it happened.
        pub occurred_at: DateTime<Utc>,
        /// The action: `member.added`, `token.revoked`, …
        pub action: String,
        /// The actor: a handle as it was then, or `operator` for a command at the database.
        pub actor: String,
        /// The token that was used.
        pub token_id: Option<String>,
        /// The address of the client.
        pub address: Option<String>,
        /// The target of the action.
        pub subject: Option<String>,
        /// Details, which depend on the action.
        pub details: serde_json::Value,
    }

    /// `GET /v1/audit`.
    pub struct Audit {
        /// The entries, newest first.
        pub audit: Vec<AuditEntry>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }

    /// An org, as the operator sees it.
    pub struct Org {
        /// The slug.
        pub org: String,
        /// When it was created.
        pub created_at: DateTime<Utc>,
        /// Members who are active.
        pub members: i64,
        /// After how many days events, inventory and receipts are deleted; null for never.
        pub retention_days: Option<i32>,
    }

    /// How many new names an org may get in a UTC day; events that would exceed it are rejected.
    pub struct OrgLimits {
        /// The slug.
        pub org: String,
        /// Tools.
        pub new_tools_a_day: i32,
        /// Projects.
        pub new_projects_a_day: i32,
        /// Sessions.
        pub new_sessions_a_day: i32,
    }

    /// `toolhub admin org list`.
    pub struct Orgs {
        /// The orgs, by slug.
        pub orgs: Vec<Org>,
    }

    /// `GET /v1/org`: the settings of the org.
    pub struct OrgSettings {
        /// The slug.
        pub org: String,
        /// True when the text of a task may be stored with its events.
        pub task_text_allowed: bool,
        /// After how many days events, inventory and receipts are deleted; null for never.
        pub retention_days: Option<i32>,
        /// True when boards show the members' names.
        pub show_names: bool,
    }

    /// `GET /v1/me/settings`: the settings of the member.
    pub struct MySettings {
        /// True when boards leave the member out.
        pub board_opt_out: bool,
        /// Events that occurred before are refused, because the member has deleted them.
        pub events_before: Option<DateTime<Utc>>,
    }

    /// What a deletion removed.
    pub struct Deleted {
        /// The member.
        pub member: String,
        /// Events.
        pub events: i64,
        /// Receipts of uploads.
        pub uploads: i64,
        /// Tools that sessions had loaded or machines had installed.
        pub inventory: i64,
        /// Responses of models, in the usage of sessions.
        #[serde(default)]
        pub responses: i64,
        /// Events that occurred before are refused from now on.
        pub events_before: DateTime<Utc>,
    }

    /// CI that the org trusts to upload without a secret.
    pub struct Publisher {
        /// Id of the publisher.
        pub publisher_id: String,
        /// `github` or `gitlab`.
        pub provider: String,
        /// The issuer of the identity tokens of its runs.
        pub issuer: String,
        /// `owner/name`.
        pub repository: String,
        /// The id of the owner: it differs when the repository is transferred or the owner's name is taken over.
        pub owner_id: String,
        /// The only workflow file that may upload; null for any.
        pub workflow: Option<String>,
        /// The only environment that may upload; null for any.
        pub environment: Option<String>,
        /// The CI member as which its runs upload.
        pub member: String,
        /// When it was added.
        pub created_at: DateTime<Utc>,
        /// Who added it.
        pub created_by: String,
    }

    /// `GET /v1/trusted-publishers`.
    pub struct Publishers {
        /// The publishers, by repository.
        pub trusted_publishers: Vec<Publisher>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }

    /// `POST /v1/trusted-publishers`.
    #[serde(deny_unknown_fields)]
    pub struct PublisherRequest {
        /// `github` or `gitlab`.
        pub provider: String,
        /// `owner/name`.
        pub repository: String,
        /// The id of the owner: `repository_owner_id` of GitHub, `namespace_id` of GitLab.
        pub owner_id: String,
        /// The only workflow file that may upload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub workflow: Option<String>,
        /// The only environment that may upload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub environment: Option<String>,
        /// The issuer: that of GitHub or GitLab unless given. The operator allows others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub issuer: Option<String>,
        /// The CI member as which its runs upload: made if there is none. `ci-<owner>-<name>` unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub member: Option<String>,
    }

    /// `POST /v1/oidc/exchange`.
    #[serde(deny_unknown_fields)]
    pub struct ExchangeRequest {
        /// The identity token that the CI provider gave the run.
        pub token: Secret,
        /// The org, where several trust the repository.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub org: Option<String>,
    }
}

requests! {
    /// `POST /v1/members`.
    pub struct MemberRequest {
        /// The name: required.
        pub handle: String,
        /// Person unless given.
        pub kind: MemberKind,
        /// Member unless given.
        pub role: Role,
        /// True to create an invitation.
        pub invite: bool,
    }

    /// `PATCH /v1/members/{handle}`: what is given changes.
    pub struct MemberChange {
        /// A new name.
        pub handle: String,
        /// Another role.
        pub role: Role,
        /// False deactivates the member and revokes their tokens; true reactivates them.
        pub active: bool,
    }

    /// `POST /v1/tokens`.
    pub struct TokenRequest {
        /// Its name: required.
        pub name: String,
        /// The member that it authenticates: the caller unless given.
        pub member: String,
        /// Its scopes: upload and read unless given, as far as the role allows.
        pub scopes: Vec<Scope>,
        /// Days until it expires: 90 unless given; 0 for never, which needs an admin.
        pub expires_in_days: u32,
    }

    /// `POST /v1/device-logins`.
    pub struct DeviceLoginRequest {
        /// What the machine calls itself, at most 64 characters: shown to the person who confirms.
        pub machine: String,
        /// What the token should be allowed to do: upload and read unless given. It gets those that the person may give.
        pub scopes: Vec<Scope>,
    }

    /// `POST /v1/page-links`.
    pub struct PageLinkRequest {
        /// The page that the browser is led to, such as `/tools?window=7d`: the overview unless given.
        pub path: String,
    }

    /// `POST /v1/tokens/{token_id}/rotate`.
    pub struct RotateRequest {
        /// Hours for which the old token remains valid: 24 unless given, at most 168.
        pub overlap_hours: u32,
        /// Name of the new token: that of the old one unless given.
        pub name: String,
    }

    /// `PATCH /v1/org`: what is given changes.
    pub struct OrgChange {
        /// A new slug.
        pub org: String,
        /// Whether the text of a task may be stored.
        pub task_text_allowed: bool,
        /// After how many days events are deleted; 0 for never.
        pub retention_days: i32,
        /// Whether boards show the members' names.
        pub show_names: bool,
    }

    /// `toolhub admin org limits`: what is given changes.
    pub struct LimitsChange {
        /// New tools a day.
        pub new_tools_a_day: i32,
        /// New projects a day.
        pub new_projects_a_day: i32,
        /// New sessions a day.
        pub new_sessions_a_day: i32,
    }

    /// `PATCH /v1/me/settings`: what is given changes.
    pub struct MyChange {
        /// Whether boards leave the member out.
        pub board_opt_out: bool,
        /// True accepts events again that the member had deleted.
        pub accept_deleted: bool,
    }
}
