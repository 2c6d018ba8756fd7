//! Pages of a list: the rows, and an opaque cursor that names the last of them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
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
            let key: Value = serde_json::from_slice(&json).map_err(|_| StoreError::Cursor)?;
            if !is_storable(&key) {
                return Err(StoreError::Cursor);
            }
            serde_json::from_value(key).map_err(|_| StoreError::Cursor)
        })
        .transpose()
}

/// True when a key may be that of a row: a cursor is untrusted input, and PostgreSQL has no text with NUL, no time
/// beyond its calendar and no row before the first.
fn is_storable(key: &Value) -> bool {
    match key {
        Value::String(text) => {
            !text.contains('\0')
                && text
                    .parse::<DateTime<Utc>>()
                    .map_or(true, |time| (1..=9_999).contains(&time.year()))
        }
        Value::Number(number) => number.as_i64().is_some_and(|number| number >= 0),
        Value::Array(parts) => parts.iter().all(is_storable),
        Value::Object(parts) => parts.values().all(is_storable),
        Value::Null | Value::Bool(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_with_a_value_that_no_row_has_is_refused() {
        let read = |json: &str| {
            let text = BASE64_URL_SAFE_NO_PAD.encode(json);
            read_cursor::<Value>(Some(&text)).map(|_| ())
        };
        for json in [r#"["2026-11-23T09:30:00Z",7,"+1"]"#, r#"["\\u0000",null]"#, "51"] {
            read(json).unwrap();
        }
        for json in [
            r#"["a\u0000b"]"#,
            r#"["+262000-01-01T00:00:00Z",7,"a"]"#,
            "-1",
            "18446744073709551615",
            "{",
        ] {
            assert!(matches!(read(json), Err(StoreError::Cursor)), "{json}");
        }
    }
}
