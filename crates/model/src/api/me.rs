//! What `GET /v1/me` answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::team::{MemberKind, Role, Scope};

body! {
    /// `GET /v1/me`: the member of the token.
    pub struct Me {
        /// The slug of the org.
        pub org: String,
        /// The handle of the member.
        pub member: String,
        /// The member's role.
        pub role: Role,
        /// Person or CI.
        pub kind: MemberKind,
        /// What the token may do.
        pub scopes: Vec<Scope>,
        /// The token's name.
        pub token_name: String,
        /// When the token expires; null for never.
        pub token_expires_at: Option<DateTime<Utc>>,
    }
}
