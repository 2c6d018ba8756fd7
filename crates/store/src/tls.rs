//! TLS to the database, by rustls with the ring provider; the meaning of `sslmode` is libpq's.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database_url::{CertificateCheck, DatabaseUrl};
use crate::error::StoreError;

/// The connector for `url`.
///
/// # Errors
/// [`StoreError::Certificates`] when a certificate is to be checked and there is nothing to check it against.
pub(crate) fn connector(url: &DatabaseUrl) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Certificates {
            reason: error.to_string(),
        })?;
    let config = match url.check {
        CertificateCheck::Nothing => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked { provider }))
            .with_no_client_auth(),
        CertificateCheck::AuthorityAndName => builder
            .with_root_certificates(authorities(url.root_certificate.as_deref())?)
            .with_no_client_auth(),
        CertificateCheck::Authority => {
            let roots = Arc::new(authorities(url.root_certificate.as_deref())?);
            let full = WebPkiServerVerifier::builder_with_provider(roots, provider)
                .build()
                .map_err(|error| StoreError::Certificates {
                    reason: error.to_string(),
                })?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName { full }))
                .with_no_client_auth()
        }
    };
    if url.config().get_ssl_mode() == SslMode::Require && url.check == CertificateCheck::Nothing {
        tracing::warn!(
            "sslmode=require encrypts but does not check who answers; sslmode=verify-full does both"
        );
    }
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    let source = match file {
        Some(file) => {
            let read = |error: &dyn std::error::Error| StoreError::Certificates {
                reason: format!("sslrootcert={} cannot be read: {error}", file.display()),
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| read(&error))? {
                let certificate = certificate.map_err(|error| read(&error))?;
                roots.add(certificate).map_err(|error| read(&error))?;
            }
            format!("sslrootcert={}", file.display())
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "a certificate authority of this machine cannot be read");
            }
            roots.add_parsable_certificates(found.certs);
            "this machine".to_owned()
        }
    };
    if roots.is_empty() {
        return Err(StoreError::Certificates {
            reason: format!("{source} has no certificate authority; name one with sslrootcert=<file.pem>"),
        });
    }
    Ok(roots)
}

/// Encryption without identity: what libpq does for `prefer` and `require`.
#[derive(Debug)]
struct Unchecked {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A trusted authority, whatever name the certificate carries: `verify-ca`.
#[derive(Debug)]
struct AnyName {
    full: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // webpki checks the name last, so this error means that all other checks passed.
        match self
            .full
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.full.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.full.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.full.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_root_certificate_is_named() {
        let url: DatabaseUrl = "postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"
            .parse()
            .unwrap();
        let error = connector(&url)
            .map(|_| ())
            .expect_err("there is no such file")
            .to_string();
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
    }

    #[test]
    fn an_empty_root_certificate_file_is_not_taken_for_trust() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!(
            "postgres://h/d?sslmode=verify-ca&sslrootcert={}",
            file.path().display()
        );
        let error = connector(&text.parse().unwrap())
            .map(|_| ())
            .expect_err("nothing to trust")
            .to_string();
        assert!(error.contains("has no certificate authority"), "{error}");
    }
}
