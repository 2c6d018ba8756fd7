//! TLS that the server speaks itself.

use std::{path::Path, process::Output};

use crate::harness::{
    Laptop,
    deployment::Deployment,
    process::{Server, toolhub},
};

async fn run(home: &Path, roots: &Path, arguments: &[&str]) -> (bool, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = toolhub(home, arguments)
        .env("SSL_CERT_FILE", roots)
        .output()
        .await
        .expect("the program can be started");
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn with_a_certificate_the_server_speaks_tls_and_nothing_else() {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let laptop = Laptop::with_calls("tls", 0..3);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = laptop.home().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = file("tls.crt", made.cert.pem());
    let key = file("tls.key", made.signing_key.serialize_pem());
    let (certificate_path, key_path) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let arguments = ["--tls-certificate", certificate_path, "--tls-key", key_path];
    let server = Server::start_with(&deployment.database_url, &arguments).await;
    let url = format!("https://localhost:{}", server.address().port());
    let (home, token) = (laptop.home(), member.token.as_str());

    let (ready, text) = run(home, &certificate, &["healthcheck", "--url", &url]).await;
    assert!(ready, "{text}");
    let upload = ["upload", "--json", "--url", &url, "--token", token];
    let (sent, text) = run(home, &certificate, &upload).await;
    assert!(sent && text.contains("\"inserted\":3"), "{text}");

    let (_, text) = run(home, Path::new("/dev/null"), &["healthcheck", "--url", &url]).await;
    assert!(
        text.contains("certificate"),
        "an unknown certificate is not trusted: {text}"
    );
    let plain = url.replace("https", "http");
    let (ready, text) = run(home, &certificate, &["healthcheck", "--url", &plain]).await;
    assert!(!ready, "{text}");

    let missing = ["--tls-certificate", "/nowhere/tls.crt", "--tls-key", key_path];
    let log = Server::try_start(&deployment.database_url, &missing)
        .await
        .err()
        .unwrap();
    assert!(
        log.contains("cannot read the certificate from /nowhere/tls.crt"),
        "{log}"
    );
}
