//! TLS by option: the server's certificate and key, from PEM files that are read again when they change.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

/// How often the files are read, so that a renewed certificate is served without a restart.
const INTERVAL: Duration = Duration::from_secs(60);

/// The files of the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its root, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why the server cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or is not PEM.
    #[error("cannot read {what} from {}: {source}", path.display())]
    Unreadable {
        /// `the certificate` or `the key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: pem::Error,
    },
    /// The certificate and the key cannot be used together.
    #[error("the certificate in {} and the key in {} cannot be used: {source}", .files.certificate.display(), .files.key.display())]
    Unusable {
        /// The files.
        files: TlsFiles,
        /// The reason.
        source: rustls::Error,
    },
}

impl TlsFiles {
    fn load(&self) -> Result<Loaded, TlsError> {
        let unreadable = |what: &'static str, path: &PathBuf| {
            let path = path.clone();
            move |source| TlsError::Unreadable { what, path, source }
        };
        let of_certificate = || unreadable("the certificate", &self.certificate);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.certificate)
            .map_err(of_certificate())?
            .collect::<Result<_, _>>()
            .map_err(of_certificate())?;
        if chain.is_empty() {
            return Err(of_certificate()(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(unreadable("the key", &self.key))?;
        Ok(Loaded { chain, key })
    }

    fn config(&self, loaded: &Loaded) -> Result<Arc<ServerConfig>, TlsError> {
        let unusable = |source| TlsError::Unusable {
            files: self.clone(),
            source,
        };
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(unusable)?
                .with_no_client_auth()
                .with_single_cert(loaded.chain.clone(), loaded.key.clone_key())
                .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

#[derive(PartialEq, Eq)]
struct Loaded {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The certificate that is served.
pub(crate) struct Certificate {
    files: TlsFiles,
    loaded: Loaded,
    served: RustlsConfig,
}

impl Certificate {
    /// Reads the files.
    pub(crate) fn load(files: TlsFiles) -> Result<Certificate, TlsError> {
        let loaded = files.load()?;
        let served = RustlsConfig::from_config(files.config(&loaded)?);
        Ok(Certificate {
            files,
            loaded,
            served,
        })
    }

    /// What the acceptor of connections uses.
    pub(crate) fn served(&self) -> RustlsConfig {
        self.served.clone()
    }

    /// Reads the files again and again. The last certificate that could be used stays in use; what is wrong with a new one
    /// is logged.
    pub(crate) async fn follow(mut self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.renew() {
                Ok(false) => {}
                Ok(true) => tracing::info!(
                    "serving the new certificate of {}",
                    self.files.certificate.display()
                ),
                Err(error) => tracing::error!("{error}; serving the last certificate"),
            }
        }
    }

    /// Serves what the files hold now. Returns whether that is new.
    fn renew(&mut self) -> Result<bool, TlsError> {
        let loaded = self.files.load()?;
        if loaded == self.loaded {
            return Ok(false);
        }
        self.served.reload_from_config(self.files.config(&loaded)?);
        self.loaded = loaded;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn certificate(folder: &tempfile::TempDir) -> TlsFiles {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = TlsFiles {
            certificate: folder.path().join("tls.crt"),
            key: folder.path().join("tls.key"),
        };
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut served = Certificate::load(certificate(&folder)).unwrap();
        assert!(!served.renew().unwrap(), "nothing has changed");
        let before = Arc::as_ptr(&served.served.get_inner());
        let files = certificate(&folder);
        assert!(served.renew().unwrap());
        assert_ne!(Arc::as_ptr(&served.served.get_inner()), before);

        let now = Arc::as_ptr(&served.served.get_inner());
        let key = fs::read(&files.key).unwrap();
        fs::write(&files.key, "not a key").unwrap();
        let error = served.renew().unwrap_err().to_string();
        assert!(
            error.contains("cannot read the key from") && error.contains("tls.key"),
            "{error}"
        );
        fs::write(&files.key, key).unwrap();
        fs::write(&files.certificate, "").unwrap();
        assert!(matches!(
            served.renew(),
            Err(TlsError::Unreadable {
                what: "the certificate",
                ..
            })
        ));
        assert_eq!(Arc::as_ptr(&served.served.get_inner()), now);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = TlsFiles {
            key: certificate(&other).key,
            ..certificate(&one)
        };
        let error = Certificate::load(files).err().unwrap().to_string();
        assert!(error.contains("cannot be used"), "{error}");
    }
}
