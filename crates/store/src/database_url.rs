//! The database address as an operator writes it: `postgresql://…` or `host=… user=…`.
//!
//! The driver reads all of libpq's syntax but the certificate checks; those (`sslmode=verify-ca`, `verify-full`,
//! `sslrootcert`) are taken out here and given to the crate's TLS set-up. Nothing here ever prints a password.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::error::StoreError;

/// How far the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateCheck {
    /// Encrypted without verification of the server: `sslmode=prefer` and `require`.
    Nothing,
    /// The certificate comes from a trusted authority: `verify-ca`, and `require` with a `sslrootcert`.
    Authority,
    /// … and carries the name of the host: `verify-full`.
    AuthorityAndName,
}

/// A parsed database address. `Debug` and `Display` leave the password out.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: Config,
    pub(crate) check: CertificateCheck,
    pub(crate) root_certificate: Option<PathBuf>,
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (rest, certificate_settings) = take_certificate_settings(text.trim());
        let mut mode = None;
        let mut root_certificate = None;
        for (key, value) in certificate_settings {
            match key {
                "sslmode" => mode = Some(value),
                // libpq's word for the operating system's authorities, which are the default anyway.
                _ if value == "system" => {}
                _ => root_certificate = Some(PathBuf::from(value)),
            }
        }
        let (mode, check) = match mode.as_deref() {
            None | Some("prefer" | "allow") => (SslMode::Prefer, CertificateCheck::Nothing),
            Some("disable") => (SslMode::Disable, CertificateCheck::Nothing),
            Some("require") if root_certificate.is_some() => (SslMode::Require, CertificateCheck::Authority),
            Some("require") => (SslMode::Require, CertificateCheck::Nothing),
            Some("verify-ca") => (SslMode::Require, CertificateCheck::Authority),
            Some("verify-full") => (SslMode::Require, CertificateCheck::AuthorityAndName),
            Some(other) => {
                return Err(StoreError::BadUrl {
                    reason: format!(
                        "sslmode={other} is not disable, prefer, require, verify-ca or verify-full"
                    ),
                });
            }
        };
        let mut config = Config::from_str(&rest).map_err(|error| StoreError::bad_url(&error))?;
        config.ssl_mode(mode);
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(StoreError::BadUrl {
                reason: "it names no host".to_owned(),
            });
        }
        // A demoted primary still answers; it must not be used for writes.
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self {
            config,
            check,
            root_certificate,
        })
    }
}

impl DatabaseUrl {
    /// The driver's configuration, to be completed with timeouts.
    pub(crate) fn config(&self) -> Config {
        self.config.clone()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgresql://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(directory) => write!(f, "{}", directory.display())?,
            }
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        for address in self
            .config
            .get_hostaddrs()
            .iter()
            .filter(|_| self.config.get_hosts().is_empty())
        {
            write!(f, "{address}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// The address without `sslmode` and `sslrootcert`, and these two as they were written.
fn take_certificate_settings(text: &str) -> (String, Vec<(&str, String)>) {
    let is_ours = |key: &str| matches!(key, "sslmode" | "sslrootcert");
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let (head, settings, separator) = match text.split_once('?') {
        Some((head, query)) if is_url => (head, query, "&"),
        _ if is_url => return (text.to_owned(), Vec::new()),
        _ => ("", text, " "),
    };
    let mut ours = Vec::new();
    let mut rest = Vec::new();
    for part in settings.split(separator) {
        match part.split_once('=') {
            Some((key, value)) if is_ours(key) && is_url => {
                ours.push((key, percent_decode_str(value).decode_utf8_lossy().into_owned()));
            }
            Some((key, value)) if is_ours(key) => ours.push((key, value.trim_matches('\'').to_owned())),
            _ => rest.push(part),
        }
    }
    let rest = rest.join(separator);
    let rest = if is_url && !rest.is_empty() {
        format!("{head}?{rest}")
    } else {
        format!("{head}{rest}")
    };
    (rest, ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DatabaseUrl {
        text.parse().expect(text)
    }

    #[test]
    fn every_sslmode_of_libpq_is_understood() {
        let cases = [
            ("postgresql://h/d", SslMode::Prefer, CertificateCheck::Nothing),
            (
                "postgresql://h/d?sslmode=disable",
                SslMode::Disable,
                CertificateCheck::Nothing,
            ),
            (
                "postgres://h/d?sslmode=require&connect_timeout=3",
                SslMode::Require,
                CertificateCheck::Nothing,
            ),
            (
                "postgres://h/d?sslrootcert=%2Fca.pem&sslmode=require",
                SslMode::Require,
                CertificateCheck::Authority,
            ),
            (
                "host=h dbname=d sslmode=verify-ca",
                SslMode::Require,
                CertificateCheck::Authority,
            ),
            (
                "host=h sslmode='verify-full' dbname=d",
                SslMode::Require,
                CertificateCheck::AuthorityAndName,
            ),
        ];
        for (text, mode, check) in cases {
            let url = parse(text);
            assert_eq!((url.config.get_ssl_mode(), url.check), (mode, check), "{text}");
            assert_eq!(url.config.get_dbname(), Some("d"), "{text}");
        }
        assert_eq!(
            parse("postgres://h/d?sslrootcert=%2Fca.pem").root_certificate,
            Some("/ca.pem".into())
        );
        assert_eq!(parse("postgres://h/d?sslrootcert=system").root_certificate, None);
    }

    #[test]
    fn a_bad_address_says_what_is_wrong_and_keeps_the_password_to_itself() {
        for (text, expected) in [
            ("postgresql://u:hush@h/d?sslmode=maybe", "sslmode=maybe"),
            ("postgresql://u:hush@h/d?colour=red", "colour"),
            ("dbname=d password=hush", "names no host"),
            ("mysql://u:hush@h/d", "invalid"),
        ] {
            let message = DatabaseUrl::from_str(text).expect_err(text).to_string();
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("hush"), "{message}");
        }
    }

    #[test]
    fn the_address_is_shown_without_its_password() {
        let url = parse("postgresql://ann:hush@db.example:6432/team?sslmode=require");
        assert_eq!(url.to_string(), "postgresql://ann@db.example:6432/team");
        assert!(!format!("{url:?}").contains("hush"));
    }

    #[test]
    fn only_a_server_that_takes_writes_is_accepted_unless_asked_otherwise() {
        assert_eq!(
            parse("postgres://h/d").config.get_target_session_attrs(),
            TargetSessionAttrs::ReadWrite
        );
        let standby = parse("postgres://h/d?target_session_attrs=read-only");
        assert_eq!(
            standby.config.get_target_session_attrs(),
            TargetSessionAttrs::ReadOnly
        );
    }
}
