//! Pages of a list: the rows, and an opaque cursor that names the last of them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::Row;

use crate::StoreError;

/// Some rows of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Names the last row, when more follow.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page of at most `limit` rows out of a query that asked for one more. `read` gives each row and the
    /// cursor that names it.
    pub(crate) fn from_rows(
        rows: &[Row],
        limit: u32,
        read: impl Fn(&Row) -> Result<(T, String), StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        let mut page = Page {
            rows: Vec::with_capacity(rows.len()),
            next_cursor: None,
        };
        let mut last = None;
        for row in rows.iter().take(limit) {
            let (value, cursor) = read(row)?;
            page.rows.push(value);
            last = Some(cursor);
        }
        page.next_cursor = last.filter(|_| more);
        Ok(page)
    }

    /// Builds a page of at most `limit` rows out of one row more, where there is one. `name` gives the cursor of a row.
    pub(crate) fn of(mut rows: Vec<T>, limit: u32, name: impl Fn(&T) -> String) -> Page<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(name);
        Page { rows, next_cursor }
    }
}

/// Writes a cursor: the key of a row, as JSON in base64url.
pub(crate) fn cursor<K: Serialize>(key: &K) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("a key is plain data"))
}

/// Reads a cursor that [`cursor`] wrote.
pub(crate) fn read_cursor<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>, StoreError> {
    cursor
        .map(|text| {
            let json = BASE64_URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| StoreError::Cursor)?;
            serde_json::from_slice(&json).map_err(|_| StoreError::Cursor)
        })
        .transpose()
}
