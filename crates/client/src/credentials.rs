//! Tokens of servers, in one file that only its owner can read.
//!
//! ```toml
//! default = "https://toolhub.example.org"
//!
//! [servers."https://toolhub.example.org"]
//! token = "thb_…"
//! org = "acme"
//! member = "ann"
//! ```

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use model::token::Token;
use serde::{Deserialize, Serialize};

use crate::{
    Environment, Error,
    address::{loopback_names, normalize_url},
    error::is_absent,
    replace::replace,
};

/// Name of the file in the configuration directory.
const FILE: &str = "credentials.toml";

/// The file of credentials.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    servers: BTreeMap<String, Entry>,
    #[serde(skip)]
    path: PathBuf,
}

/// The entry of one server. `org` and `member` are information for the reader; the server derives them from the token.
#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    token: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    org: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    member: String,
}

/// Saves a token for this machine's user and makes its server the default. Returns the path of the file.
pub fn save(url: &str, token: &Token, org: &str, member: &str) -> Result<PathBuf, Error> {
    let mut credentials = Credentials::load(&Environment::of_process())?;
    credentials.set(url, token, org, member)?;
    credentials.write()?;
    Ok(credentials.path)
}

impl Credentials {
    /// Reads the file; a missing file is an empty one. Refuses a file that other users can read.
    pub fn load(environment: &Environment) -> Result<Credentials, Error> {
        Credentials::load_file(environment.config_dir()?.join(FILE))
    }

    fn load_file(path: PathBuf) -> Result<Credentials, Error> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => {
                return Ok(Credentials {
                    path,
                    ..Credentials::default()
                });
            }
            Err(source) => return Err(Error::File { path, source }),
        };
        refuse_exposed(&path)?;
        let mut credentials: Credentials = toml::from_str(&text).map_err(|error| Error::BadFile {
            path: path.clone(),
            detail: format!(
                "not a valid credentials file: {}. Remove it and log in again",
                error.message()
            ),
        })?;
        credentials.path = path;
        Ok(credentials)
    }

    /// The server of the last login.
    pub(crate) fn default_url(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// True when there is an entry for a server.
    pub fn contains(&self, url: &str) -> bool {
        self.entry(url).is_some()
    }

    /// The entry of a server. The names of the loopback interface are those of one server.
    fn entry(&self, url: &str) -> Option<&Entry> {
        let url = normalize_url(url).ok()?;
        self.servers.get(&url).or_else(|| {
            loopback_names(&url)
                .iter()
                .find_map(|name| self.servers.get(name))
        })
    }

    /// The token for a server.
    pub fn token(&self, url: &str) -> Option<Token> {
        Token::parse(&self.entry(url)?.token).ok()
    }

    /// Sets the token of a server and makes the server the default.
    pub fn set(&mut self, url: &str, token: &Token, org: &str, member: &str) -> Result<(), Error> {
        let url = normalize_url(url)?;
        let entry = Entry {
            token: token.reveal().to_owned(),
            org: org.to_owned(),
            member: member.to_owned(),
        };
        self.servers.insert(url.clone(), entry);
        self.default = Some(url);
        Ok(())
    }

    /// Removes a server. Returns false when there is no entry for it.
    pub fn forget(&mut self, url: &str) -> bool {
        let Ok(url) = normalize_url(url) else { return false };
        let known = self.servers.remove(&url).is_some();
        if self.default.as_ref() == Some(&url) {
            self.default = self.servers.keys().next().cloned();
        }
        known
    }

    /// Writes the file atomically, readable by its owner only.
    pub fn write(&self) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|error| Error::BadFile {
            path: self.path.clone(),
            detail: error.to_string(),
        })?;
        replace(&self.path, text.as_bytes(), None).map_err(Error::file(&self.path))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)
        .map_err(Error::file(path))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(Error::ExposedCredentials {
            path: path.to_owned(),
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(seed: u8) -> Token {
        Token::from_random(&[seed; 64]).unwrap()
    }

    fn home() -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        (home, environment)
    }

    #[test]
    fn tokens_of_several_servers_are_stored_and_the_last_login_is_the_default() {
        let (_home, environment) = home();
        let mut credentials = Credentials::load(&environment).unwrap();
        credentials
            .set("http://a.example/", &token(1), "acme", "ann")
            .unwrap();
        credentials
            .set("https://B.example", &token(2), "beta", "ann")
            .unwrap();
        credentials.write().unwrap();
        let mut read = Credentials::load(&environment).unwrap();
        assert_eq!(read.default_url(), Some("https://b.example"));
        assert_eq!(read.token("http://a.example"), Some(token(1)));
        assert_eq!(read.token("https://b.example/"), Some(token(2)));
        assert_eq!(
            read.token("https://a.example"),
            None,
            "the scheme is part of the address"
        );
        assert!(read.forget("https://b.example"));
        assert!(!read.forget("https://b.example"));
        assert_eq!(read.default_url(), Some("http://a.example"));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_readable_by_its_owner_only_and_refused_otherwise() {
        use std::os::unix::fs::PermissionsExt;
        let (_home, environment) = home();
        let mut credentials = Credentials::load(&environment).unwrap();
        credentials
            .set("http://a.example", &token(1), "acme", "ann")
            .unwrap();
        credentials.write().unwrap();
        let path = credentials.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let Err(error) = Credentials::load(&environment) else {
                panic!("mode {mode:o} was accepted")
            };
            assert!(
                error
                    .to_string()
                    .contains(&format!("chmod 600 {}", path.display())),
                "{error}"
            );
            assert_eq!(error.exit(), crate::Exit::NotAllowed);
        }
    }

    #[test]
    fn a_file_that_is_not_ours_is_not_overwritten() {
        let (_home, environment) = home();
        let path = environment.config_dir().unwrap().join(FILE);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "something = else").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert!(matches!(
            Credentials::load(&environment),
            Err(Error::BadFile { .. })
        ));
    }
}
