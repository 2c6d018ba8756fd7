//! The parameters of a page, and addresses with parameters.

use std::str::FromStr;

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::ApiError, extract::Query};

/// How a table is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Markdown,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Format, String> {
        match word {
            "csv" => Ok(Format::Csv),
            "markdown" => Ok(Format::Markdown),
            _ => Err("`format` is csv or markdown".to_owned()),
        }
    }
}

/// The parameters of a page: those of the API, by the API's names, and a few of its own.
pub(crate) struct PageQuery<T> {
    pub(super) query: T,
    pub(super) view: View,
}

/// The parameters that only pages have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Not a page, but its table in this format.
    pub(super) format: Option<Format>,
    /// The column by which a board is sorted.
    pub(super) sort: Option<String>,
    /// True to sort from the least.
    pub(super) ascending: bool,
    /// The cursors of the pages before, from the first on.
    pub(super) back: Vec<String>,
}

impl View {
    fn take(name: &str, value: &str, view: &mut View) -> Result<bool, ApiError> {
        match name {
            "format" => view.format = Some(value.parse().map_err(ApiError::BadQuery)?),
            "sort" => view.sort = Some(value.to_owned()),
            "order" => {
                view.ascending = match value {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(ApiError::BadQuery("`order` is asc or desc".into())),
                }
            }
            "back" => view.back = value.split('.').map(str::to_owned).collect(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for PageQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PageQuery<T>, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await?;
        let mut view = View::default();
        let mut rest = Vec::new();
        for (name, value) in pairs {
            // A form sends every field, also the empty ones.
            if !value.is_empty() && !View::take(&name, &value, &mut view)? {
                rest.push((name, value));
            }
        }
        let unreadable = |error: &dyn std::fmt::Display| ApiError::BadQuery(error.to_string());
        let text = serde_urlencoded::to_string(rest).map_err(|error| unreadable(&error))?;
        let query = serde_urlencoded::from_str(&text).map_err(|error| unreadable(&error))?;
        Ok(PageQuery { query, view })
    }
}

/// A path with parameters, those that are given.
pub(super) fn address(path: &str, query: &impl Serialize, more: &[(&str, &str)]) -> String {
    let mut text = serde_urlencoded::to_string(query).unwrap_or_default();
    let more = serde_urlencoded::to_string(more).unwrap_or_default();
    if !text.is_empty() && !more.is_empty() {
        text.push('&');
    }
    text.push_str(&more);
    if text.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{text}")
    }
}
