//! Reading rows by the names of their columns. No other module reads a column by its position; a test checks that.

use std::str::FromStr;

use model::api::CiContext;
use tokio_postgres::{
    Row,
    types::{FromSql, Json},
};

use crate::StoreError;

/// The value of a row with a single column, such as a count.
pub(crate) fn only<'r, T: FromSql<'r>>(row: &'r Row) -> Result<T, StoreError> {
    debug_assert_eq!(row.len(), 1, "a row with several columns is read by name");
    Ok(row.try_get(0)?)
}

/// The value of a column that holds one of a few words.
pub(crate) fn word<T: FromStr>(row: &Row, column: &'static str) -> Result<T, StoreError> {
    parse(row.try_get(column)?, column)
}

/// The value of a column that holds one of a few words, or null.
pub(crate) fn optional_word<T: FromStr>(row: &Row, column: &'static str) -> Result<Option<T>, StoreError> {
    let word: Option<&str> = row.try_get(column)?;
    word.map(|word| parse(word, column)).transpose()
}

/// The values of a column that holds an array of such words.
pub(crate) fn words<T: FromStr>(row: &Row, column: &'static str) -> Result<Vec<T>, StoreError> {
    let words: Vec<&str> = row.try_get(column)?;
    words.into_iter().map(|word| parse(word, column)).collect()
}

/// The `ci` column of uploads and tokens.
pub(crate) fn ci_context(row: &Row) -> Result<Option<CiContext>, StoreError> {
    let ci: Option<Json<CiContext>> = row.try_get("ci")?;
    Ok(ci.map(|Json(ci)| ci))
}

/// The value of an `integer` column as the API's 64-bit number.
pub(crate) fn widened(row: &Row, column: &'static str) -> Result<i64, StoreError> {
    Ok(row.try_get::<_, i32>(column)?.into())
}

/// The values of an array of ordinals, which count from 1, as indices.
pub(crate) fn ordinals(row: &Row, column: &'static str) -> Result<Vec<usize>, StoreError> {
    let ordinals: Vec<i64> = row.try_get(column)?;
    Ok(ordinals
        .into_iter()
        .map(|ordinal| usize::try_from(ordinal - 1).expect("ordinality counts from 1"))
        .collect())
}

fn parse<T: FromStr>(word: &str, column: &'static str) -> Result<T, StoreError> {
    word.parse().map_err(|_| StoreError::Unreadable(column))
}
