//! 404 for a name that the org does not have, with the names that were probably meant.

use model::team::{Role, Scope};
use store::{names::Name, team::Identity};

use crate::{error::ApiError, state::App};

/// The names that a request asks for; `None` where it does not.
pub(super) type Asked<'a> = [Option<Name<'a>>; 4];

/// Checks the names of a request whose first page is empty: a list without rows may be right, or a name mistyped. What
/// has rows needs no check.
pub(super) async fn check(
    app: &App,
    caller: &Identity,
    is_empty: bool,
    cursor: Option<&str>,
    asked: Asked<'_>,
) -> Result<(), ApiError> {
    if !is_empty || cursor.is_some() {
        return Ok(());
    }
    let names: Vec<Name<'_>> = asked.into_iter().flatten().collect();
    Ok(app
        .store
        .check_names(caller.org, &names, administers(caller))
        .await?)
}

/// True when the caller may list the members of the org.
fn administers(caller: &Identity) -> bool {
    caller.scopes.contains(&Scope::Admin) && caller.role >= Role::Admin
}
