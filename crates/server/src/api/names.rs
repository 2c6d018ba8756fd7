//! 404 for a name that the org does not have, with the names that were probably meant.

use model::team::{Role, Scope};
use store::{names::Name, team::Identity};

use crate::{error::ApiError, state::App};

/// Checks the names of a request whose first page is empty: a list without rows may be right, or a name mistyped. What
/// has rows needs no check. `asked` is `None` where the request does not ask for a name.
pub(super) async fn check(
    app: &App,
    caller: &Identity,
    is_empty: bool,
    cursor: Option<&str>,
    asked: &[Option<Name<'_>>],
) -> Result<(), ApiError> {
    if !is_empty || cursor.is_some() {
        return Ok(());
    }
    let names: Vec<Name<'_>> = asked.iter().copied().flatten().collect();
    Ok(app
        .store
        .check_names(caller.org, &names, administers(caller))
        .await?)
}

/// True when the caller may list the members of the org.
fn administers(caller: &Identity) -> bool {
    caller.scopes.contains(&Scope::Admin) && caller.role >= Role::Admin
}
