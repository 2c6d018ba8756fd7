//! TLS to a real server: each `sslmode` accepts and refuses what libpq's does.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use embedded::{EmbeddedOptions, EmbeddedServer};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use store::{PoolOptions, Store, StoreError};

#[tokio::test]
async fn each_sslmode_accepts_and_refuses_what_it_says() {
    let place = tempfile::Builder::new().prefix("th").tempdir().unwrap();
    // A path too long for a socket: the server listens on loopback, which TLS needs.
    let data_dir = place.path().join("x".repeat(100));
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    EmbeddedServer::start(EmbeddedOptions::from_env(&data_dir))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();

    let own = Authority::new();
    let stranger = Authority::new();
    let [own_file, stranger_file] =
        [(&own, "own.pem"), (&stranger, "stranger.pem")].map(|(authority, name)| {
            let file = place.path().join(name);
            std::fs::write(&file, &authority.pem).unwrap();
            file
        });

    for (name, is_right) in [("127.0.0.1", true), ("somewhere.example", false)] {
        let settings = own.sign(name, &data_dir);
        let options = EmbeddedOptions {
            settings,
            ..EmbeddedOptions::from_env(&data_dir)
        };
        let server = EmbeddedServer::start(options).await.unwrap();
        for (mode, root, accepted) in [
            ("prefer", None, true),
            ("require", None, true),
            ("require", Some(&own_file), true),
            ("require", Some(&stranger_file), false),
            ("verify-ca", Some(&own_file), true),
            ("verify-ca", Some(&stranger_file), false),
            ("verify-full", Some(&own_file), is_right),
            ("verify-full", Some(&stranger_file), false),
            ("verify-full", None, false),
        ] {
            let what = format!("sslmode={mode} sslrootcert={root:?} against a certificate for {name}");
            match (connect(&server, mode, root).await, accepted) {
                (Ok(store), true) => store.ping().await.unwrap(),
                (Ok(_), false) => panic!("accepted: {what}"),
                (Err(error), true) => panic!("refused: {what}: {error}"),
                (Err(error), false) => {
                    assert!(
                        error.to_string().contains("certificate") && !error.is_temporary(),
                        "{what}: {error}"
                    );
                }
            }
        }
        server.stop().await.unwrap();
    }
}

/// Connects over TLS only: the server is told to refuse anything else.
async fn connect(server: &EmbeddedServer, mode: &str, root: Option<&PathBuf>) -> Result<Store, StoreError> {
    let root = root
        .map(|file| format!("&sslrootcert={}", file.display()))
        .unwrap_or_default();
    let url = server
        .url()
        .replace("sslmode=disable", &format!("sslmode={mode}{root}"));
    let store = Store::connect(
        &url,
        PoolOptions {
            max_size: Some(1),
            ..PoolOptions::default()
        },
    )
    .await?;
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    store.ping().await?;
    let encrypted = "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) \
                     where ssl and application_name = 'toolhub'";
    assert_eq!(
        client
            .query_one(encrypted, &[])
            .await
            .unwrap()
            .get::<_, i64>("count"),
        1,
        "sslmode={mode} encrypts"
    );
    Ok(store)
}

/// A certificate authority of this test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Puts a certificate for `name` into the server's directory, and tells the settings that use it.
    fn sign(&self, name: &str, data_dir: &Path) -> Vec<(String, String)> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let home = data_dir.join("postgres");
        let owner = home.metadata().unwrap();
        let mut settings = vec![("ssl".to_owned(), "on".to_owned())];
        for (setting, text) in [
            ("ssl_cert_file", certificate),
            ("ssl_key_file", key.serialize_pem()),
        ] {
            let file = home.join(setting);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
            settings.push((setting.to_owned(), file.display().to_string()));
        }
        settings
    }
}
