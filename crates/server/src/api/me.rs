//! `GET /v1/me`.

use model::api::Me;

use crate::{auth::Caller, extract::Json};

/// Who the token speaks for.
pub(crate) async fn get(Caller(identity): Caller) -> Json<Me> {
    Json(Me {
        org: identity.org_slug,
        member: identity.handle,
        role: identity.role,
        kind: identity.kind,
        scopes: identity.scopes,
        token_name: identity.token_name,
        token_expires_at: identity.expires_at,
    })
}
