//! Who may call a route. Every route declares it.

use axum::http::Method;
use model::team::{Role, Scope};

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing, and it is not rate limited: probes and metrics.
    Probe,
    /// Nothing.
    Public,
    /// A token, whatever its scope.
    Token,
    /// A token with this scope.
    Scope(Scope),
    /// A token with scope admin, of a member with at least this role.
    Role(Role),
    /// Nothing; the answer is a page or leads to one.
    OpenPage,
    /// A page session: what a browser has in its cookie.
    Page,
    /// A page session, and a form of one of its pages.
    PageForm,
    /// A page session of a token with scope admin, of a member with at least this role.
    RolePage(Role),
    /// The same, and a form of one of its pages.
    RoleForm(Role),
}

impl Access {
    /// True when a person's browser asks: errors are pages too.
    pub fn is_page(self) -> bool {
        matches!(
            self,
            Access::OpenPage | Access::Page | Access::PageForm | Access::RolePage(_) | Access::RoleForm(_)
        )
    }
}

/// One route, as the tests and the documentation see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}
