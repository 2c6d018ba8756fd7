//! The prices that costs are computed by: the server's table with the org's own, kept in the user's cache; else those
//! of the program. A file of the user's own stands before all of them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use model::api::{Price, PricesChange, UnpricedModel};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sources::Prices;

use model::text::hex;

use crate::{Environment, Error, Server, server::Fresh};

/// Longest wait for the server's table. An upload goes on without it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest table that is read from the cache.
const MAX_CACHED_BYTES: u64 = 16 * 1024 * 1024;

/// Prices, and what was in the way of better ones.
#[derive(Debug)]
pub struct Found {
    /// The prices.
    pub prices: Prices,
    /// The org's own among them.
    pub overrides: Vec<Price>,
    /// Models without a price, as the server knows them; `None` when it was not asked or does not tell.
    pub unpriced: Option<Vec<UnpricedModel>>,
    /// One sentence for each thing that was in the way.
    pub notes: Vec<String>,
}

/// What is read of the server's answer. A price in a form that this program does not know is skipped, and counted.
#[derive(Deserialize)]
struct Table {
    prices: Vec<serde_json::Value>,
    #[serde(default)]
    overrides: Vec<serde_json::Value>,
    #[serde(default)]
    unpriced: Option<Vec<UnpricedModel>>,
}

/// A table in the cache: the server's tag of it, and its bytes.
#[derive(Serialize, Deserialize)]
struct Cached {
    tag: String,
    table: Box<serde_json::value::RawValue>,
}

/// The prices of a file, over those of a server where there is one, over those of the program.
///
/// # Errors
/// When the file cannot be read. A server that cannot be asked is a note.
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
        found.prices = found.prices.with(own.clone());
        found.overrides.splice(0..0, own);
    }
    Ok(found)
}

/// The prices of a file.
///
/// # Errors
/// When it cannot be read, or is no price file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<Price>, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    sources::read_price_file(&text).map_err(|error| Error::BadFile {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

/// The prices of a file, as the org's own.
///
/// # Errors
/// When it cannot be read, is no price file, or holds what an org cannot set.
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

/// Models without a price, as the server lists them; `None` when it does not tell.
///
/// # Errors
/// When the server cannot be asked.
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
    let trouble = match asked {
        Ok(Ok(Fresh::Same)) => None,
        Ok(Ok(Fresh::New { tag, body })) => match Found::read(&body) {
            Some(found) => {
                if let (Some(place), Some(tag)) = (&place, tag) {
                    keep(place, tag, &body);
                }
                return found;
            }
            None => Some("its answer cannot be read".to_owned()),
        },
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", TIMEOUT.as_secs())),
    };
    let kept = cached.and_then(|cached| Found::read(cached.table.get().as_bytes()));
    let Some(trouble) = trouble else {
        // The server says that the table is still the one that was kept.
        return kept.unwrap_or_else(Found::builtin);
    };
    let (mut found, which) = match kept {
        Some(found) => (found, "those that it gave last"),
        None => (Found::builtin(), "those of this program"),
    };
    found.notes.push(format!(
        "the server's prices cannot be had ({trouble}); {which} are used"
    ));
    found
}

impl Found {
    fn builtin() -> Found {
        Found {
            prices: Prices::builtin(),
            overrides: Vec::new(),
            unpriced: None,
            notes: Vec::new(),
        }
    }

    /// `None` when it is no table.
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
            format!("{skipped} of the server's prices are of a form that this program does not know")
        });
        Some(Found {
            prices: Prices::of(prices).with(overrides.clone()),
            overrides,
            unpriced: table.unpriced,
            notes: notes.into_iter().collect(),
        })
    }
}

/// Where the table of a server and a token is kept: another token may be of another org.
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

/// Keeps a table. One that cannot be kept is asked for again: no reason to fail.
fn keep(path: &Path, tag: String, body: &[u8]) {
    let write = || -> std::io::Result<()> {
        let table = serde_json::from_slice(body)?;
        let folder = path.parent().unwrap_or(path);
        fs::create_dir_all(folder)?;
        // For the user alone: an org's prices are nobody else's business.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&Cached { tag, table })?)?;
        file.persist(path)?;
        Ok(())
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
