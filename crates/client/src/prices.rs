//! The prices from which costs are computed: the server's table with the org's own prices, cached for the user; without
//! it the built-in table. A price file of the user takes precedence over both.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use model::api::{self, Price, PricesChange, UnpricedModel};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sources::Prices;

use model::text::hex;

use crate::{Environment, Error, Server, replace::replace, server::Fresh};

/// Longest wait for the server's table. An upload goes on without it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest table that is read from the cache.
const MAX_CACHED_BYTES: u64 = 16 * 1024 * 1024;

/// Prices, and why they are not the server's current ones, if they are not.
#[derive(Debug)]
pub struct Found {
    /// The prices.
    pub prices: Prices,
    /// Models without a price, according to the server; `None` when it was not asked or the token may not see them.
    pub unpriced: Option<Vec<UnpricedModel>>,
    /// One sentence per problem.
    pub notes: Vec<String>,
}

/// The server's answer, as far as it is read. A price in a format that this program does not know is skipped and counted.
#[derive(Deserialize)]
struct Table {
    prices: Vec<serde_json::Value>,
    #[serde(default)]
    overrides: Vec<serde_json::Value>,
    #[serde(default)]
    unpriced: Option<Vec<UnpricedModel>>,
}

/// A cached table: its `ETag` and its bytes.
#[derive(Serialize, Deserialize)]
struct Cached {
    tag: String,
    table: Box<serde_json::value::RawValue>,
}

/// Loads the prices: a file takes precedence over the server, and the server over the built-in table.
///
/// # Errors
/// When the file cannot be read. A server that does not answer is only a note.
pub async fn find(
    server: Option<&Server>,
    file: Option<&Path>,
    environment: &Environment,
) -> Result<Found, Error> {
    let own = file.map(read_file).transpose()?;
    let mut found = match server.filter(|server| server.token().is_ok()) {
        Some(server) => of_server(server, environment).await,
        None => Found::builtin(),
    };
    if let Some(own) = own {
        found.prices = found.prices.with(own);
    }
    Ok(found)
}

/// The body of `GET /v1/prices`, for `--json`: as the server sends it; without a token, that of the built-in prices. Those
/// of a file come first among its `overrides`.
///
/// # Errors
/// When the file cannot be read, or the server does not answer with success.
pub async fn body(server: &Server, file: Option<&Path>) -> Result<Vec<u8>, Error> {
    let own = file.map(read_file).transpose()?.unwrap_or_default();
    if server.token().is_err() {
        let table = api::Prices {
            prices: Prices::builtin().list().cloned().collect(),
            overrides: own,
            changed_at: None,
            source: Prices::builtin_source(),
            unpriced: None,
        };
        return Ok(serde_json::to_vec(&table).expect("prices have no map with keys that are not text"));
    }
    let body = server.get("/v1/prices", &[]).await?;
    if own.is_empty() {
        server.read::<Box<serde_json::value::RawValue>>(&body)?;
        return Ok(body);
    }
    // What this version does not know stays in the answer.
    let mut table: serde_json::Map<String, serde_json::Value> = server.read(&body)?;
    if let Some(serde_json::Value::Array(overrides)) = table.get_mut("overrides") {
        let own = own.iter().map(|price| serde_json::json!(price));
        overrides.splice(0..0, own);
    }
    Ok(serde_json::Value::Object(table).to_string().into_bytes())
}

/// The prices of a file.
///
/// # Errors
/// When it cannot be read, or is not a price file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Price>, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    sources::read_price_file(&text).map_err(|error| Error::BadFile {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// A price file as the request that sets an org's own prices.
///
/// # Errors
/// When it cannot be read, is not a price file, or has a price that an org cannot set.
pub fn change_of(path: &Path) -> Result<PricesChange, Error> {
    let change = PricesChange {
        overrides: read_file(path)?,
    };
    change.check().map_err(|error| Error::BadFile {
        path: path.to_owned(),
        detail: error.to_string(),
    })?;
    Ok(change)
}

/// Models without a price, as the server lists them; `None` when the token may not see them.
///
/// # Errors
/// When the request fails.
pub async fn unpriced(server: &Server) -> Result<Option<Vec<UnpricedModel>>, Error> {
    let table: Table = server.get_as("/v1/prices", &[]).await?;
    Ok(table.unpriced)
}

async fn of_server(server: &Server, environment: &Environment) -> Found {
    let place = place(server, environment);
    let cached = place.as_deref().and_then(load);
    let tag = cached.as_ref().map(|cached| cached.tag.as_str());
    let query = [("unpriced", "false".to_owned())];
    let asked = tokio::time::timeout(TIMEOUT, server.get_if_changed("/v1/prices", &query, tag)).await;
    let problem = match asked {
        Ok(Ok(Fresh::Same)) => None,
        Ok(Ok(Fresh::New { tag, body })) => match Found::read(&body) {
            Some(found) => {
                if let (Some(place), Some(tag)) = (&place, tag) {
                    keep(place, tag, &body);
                }
                return found;
            }
            None => Some("its answer is not a price table".to_owned()),
        },
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", TIMEOUT.as_secs())),
    };
    let kept = cached.and_then(|cached| Found::read(cached.table.get().as_bytes()));
    let Some(problem) = problem else {
        // Not modified: the cached table is current.
        return kept.unwrap_or_else(Found::builtin);
    };
    let (mut found, which) = match kept {
        Some(found) => (found, "the last ones that it sent"),
        None => (Found::builtin(), "the built-in ones"),
    };
    found.notes.push(format!(
        "cannot get the server's prices: {problem}. Using {which}"
    ));
    found
}

impl Found {
    fn builtin() -> Found {
        Found {
            prices: Prices::builtin(),
            unpriced: None,
            notes: Vec::new(),
        }
    }

    /// Parses the body of an answer; `None` when it is not a price table.
    fn read(body: &[u8]) -> Option<Found> {
        let table: Table = serde_json::from_slice(body).ok()?;
        let mut skipped = 0_usize;
        let mut read = |prices: Vec<serde_json::Value>| -> Vec<Price> {
            let all = prices.len();
            let known: Vec<Price> = prices
                .into_iter()
                .filter_map(|price| serde_json::from_value(price).ok())
                .collect();
            skipped += all - known.len();
            known
        };
        let (prices, overrides) = (read(table.prices), read(table.overrides));
        let notes = (skipped > 0).then(|| {
            format!("ignored {skipped} of the server's prices, whose format this version does not know. Update toolhub")
        });
        Some(Found {
            prices: Prices::of(prices).with(overrides),
            unpriced: table.unpriced,
            notes: notes.into_iter().collect(),
        })
    }
}

/// The cache file of a server and token: another token may belong to another org.
fn place(server: &Server, environment: &Environment) -> Option<PathBuf> {
    let mut digest = Sha256::new();
    digest.update(server.url().as_bytes());
    digest.update([0]);
    digest.update(server.token().ok()?.hash().0);
    let name = format!("{}.json", hex(&digest.finalize()[..8]));
    Some(environment.cache_dir().ok()?.join("prices").join(name))
}

fn load(path: &Path) -> Option<Cached> {
    let size = fs::metadata(path).ok()?.len();
    if size > MAX_CACHED_BYTES {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Caches a table. A failure is ignored: the next command requests the table again.
fn keep(path: &Path, tag: String, body: &[u8]) {
    // With mode 0600: an org's prices are confidential.
    let write = || -> std::io::Result<()> {
        let table = serde_json::from_slice(body)?;
        replace(path, &serde_json::to_vec(&Cached { tag, table })?, None)
    };
    let _ = write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_of_an_unknown_form_costs_only_itself() {
        let body =
            br#"{"prices":[{"model":"a","input":1,"output":2},{"model":"b","per":"minute"}],"overrides":[]}"#;
        let found = Found::read(body).unwrap();
        assert!(found.prices.knows("a") && !found.prices.knows("b"));
        assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
        assert!(Found::read(b"<html>").is_none());
    }

    #[test]
    fn a_table_is_kept_with_its_tag() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("prices/x.json");
        assert!(load(&path).is_none());
        keep(&path, "\"t\"".into(), br#"{"prices":[]}"#);
        let cached = load(&path).unwrap();
        assert_eq!(
            (cached.tag.as_str(), cached.table.get()),
            ("\"t\"", r#"{"prices":[]}"#)
        );
        fs::write(&path, "{").unwrap();
        assert!(load(&path).is_none());
    }
}
