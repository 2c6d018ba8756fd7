//! The page of an error.

use axum::{
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use maud::html;
use model::problem::Problem;

use super::{appearance::Appearance, layout, policy::set_headers};
use crate::{error::ApiError, page_session::HOME};

/// Marks an answer to a browser, so that its error becomes a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsPage {
    appearance: Appearance,
}

impl AsPage {
    fn of(headers: &HeaderMap) -> AsPage {
        AsPage {
            appearance: Appearance::of(headers),
        }
    }

    /// The page of a problem.
    pub(crate) fn of_problem(self, problem: &Problem) -> String {
        let title = match problem.status {
            404 => "Not found",
            403 => "Not allowed",
            429 | 503 => "Try again in a moment",
            400 => "The address or the form has an error",
            _ => &problem.title,
        };
        let content = html! {
            main #main .narrow {
                h1 { (title) }
                p .lede { (model::text::clean(&problem.detail)) }
                p { a href=(HOME) { "To the overview" } }
                p .fine { "Request " code { (problem.request_id) } ", code " code { (problem.code) } }
            }
        };
        layout::document(title, self.appearance, &content).into_string()
    }
}

/// The answer to a path that there is not: a page for a browser.
pub(crate) fn no_such_page(headers: &HeaderMap, path: &str) -> Response {
    let mut response = ApiError::NoRoute.into_response();
    let accepts_html = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accepted| accepted.contains("text/html"));
    if accepts_html && !path.starts_with("/v1/") {
        set_headers(response.headers_mut());
        response.extensions_mut().insert(AsPage::of(headers));
    }
    response
}

/// Finishes every answer to a browser: its headers, and the look of an error.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let page = AsPage::of(request.headers());
    let mut response = next.run(request).await;
    set_headers(response.headers_mut());
    response.extensions_mut().insert(page);
    response
}
