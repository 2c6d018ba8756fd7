//! Who may call a route. Every route says so where it is declared; there is no route without.

use axum::{Router, handler::Handler, http::Method, middleware, routing::MethodRouter};
use model::team::{Role, Scope};

use crate::{auth, state::App};

/// What a caller must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing, and it is never refused for asking often: what watches over the process.
    Probe,
    /// Nothing.
    Public,
    /// A token, whatever its scope.
    Token,
    /// A token with this scope.
    Scope(Scope),
    /// A token with scope admin, of a member with at least this role.
    Role(Role),
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

/// Collects routes, each behind the check of its access.
pub(crate) struct Routes {
    app: App,
    router: Router<App>,
    list: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(app: App) -> Routes {
        Routes {
            app,
            router: Router::new(),
            list: Vec::new(),
        }
    }

    pub(crate) fn add<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Routes
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter =
            axum::routing::MethodFilter::try_from(method.clone()).expect("a method that HTTP/1.1 has");
        let checked = MethodRouter::new()
            .on(filter, handler)
            .route_layer(middleware::from_fn_with_state(
                (self.app.clone(), access),
                auth::check,
            ));
        self.router = self.router.route(path, checked);
        self.list.push(Route { method, path, access });
        self
    }

    pub(crate) fn finish(self) -> (Router<App>, Vec<Route>) {
        (self.router, self.list)
    }
}
