//! Building the router: every route is added together with who may call it.

use axum::{Router, handler::Handler, http::Method, middleware, routing::MethodRouter};

use crate::{
    access::{Access, Route},
    auth, pages,
    state::App,
};

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
        let checked = if access.is_page() {
            checked.route_layer(middleware::from_fn(pages::finish))
        } else {
            checked
        };
        self.router = self.router.route(path, checked);
        self.list.push(Route { method, path, access });
        self
    }

    pub(crate) fn finish(self) -> (Router<App>, Vec<Route>) {
        (self.router, self.list)
    }
}
