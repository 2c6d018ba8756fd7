//! An issuer of identity tokens on loopback: real RSA keys, real discovery, real signatures.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::RSA_PKCS1_SHA256,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A signing key, by name. The issuer publishes those it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Published from the start.
    First,
    /// What the issuer rotates to.
    Second,
    /// Never published.
    Stranger,
}

impl Key {
    fn pair(self) -> KeyPair {
        let der: &[u8] = match self {
            Key::First => include_bytes!("issuer/first.der"),
            Key::Second => include_bytes!("issuer/second.der"),
            Key::Stranger => include_bytes!("issuer/stranger.der"),
        };
        KeyPair::from_pkcs8(der).expect("the key is one")
    }

    /// The id under which it is published.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Key::First => "first",
            Key::Second => "second",
            Key::Stranger => "stranger",
        }
    }

    fn public(self) -> Value {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.pair().public());
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id(),
            "n": BASE64_URL_SAFE_NO_PAD.encode(n), "e": BASE64_URL_SAFE_NO_PAD.encode(e),
        })
    }

    /// The modulus, for an attack that takes the public key for a shared secret.
    pub(crate) fn modulus(self) -> Vec<u8> {
        PublicKeyComponents::<Vec<u8>>::from(self.pair().public()).n
    }

    /// Signs a token with RS256.
    pub(crate) fn sign(self, claims: &Value) -> String {
        self.sign_with(&json!({ "alg": "RS256", "typ": "JWT", "kid": self.id() }), claims)
    }

    /// Signs a token under a header of any kind.
    pub(crate) fn sign_with(self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let pair = self.pair();
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )
        .expect("a key signs");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Header and claims as they are signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// The running issuer.
pub(crate) struct CiIssuer {
    /// Its address, the value of `iss`.
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    published: Vec<Key>,
    fetches: usize,
    down: bool,
    claims: Value,
}

impl CiIssuer {
    /// Starts an issuer that publishes its first key.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub(crate) async fn start() -> CiIssuer {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let url = format!("http://{address}");
        let state = Arc::new(Mutex::new(State {
            published: vec![Key::First],
            fetches: 0,
            down: false,
            claims: Value::Null,
        }));
        let issuer = CiIssuer {
            url: url.clone(),
            state: state.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (url, state) = (url.clone(), state.clone());
                tokio::spawn(async move { answer(stream, &url, &state).await });
            }
        });
        issuer
    }

    /// Publishes these keys from now on, and no others.
    pub(crate) fn publish(&self, keys: &[Key]) {
        self.lock().published = keys.to_vec();
    }

    /// Answers every request with an error from now on, or no longer.
    pub(crate) fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// Gives a caller that asks as a CI run does, with the bearer `run`, an identity with these claims, for the audience asked
    /// for. Answers where to ask.
    pub(crate) fn give(&self, claims: Value) -> String {
        self.lock().claims = claims;
        format!("{}/id-token?api-version=1", self.url)
    }

    /// How often its keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.lock().fetches
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(stream: TcpStream, url: &str, state: &Mutex<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await.ok()?;
    let (mut line, mut headers) = (String::new(), String::new());
    while stream.read_line(&mut line).await.ok()? > 2 {
        headers.push_str(&line.to_lowercase());
        line.clear();
    }
    let (status, body) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.down {
            ("500 Internal Server Error", json!({}))
        } else if request.contains("/id-token?") && headers.contains("authorization: bearer run\r\n") {
            let audience = request
                .split("&audience=")
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            let audience = audience
                .unwrap_or_default()
                .replace("%3A", ":")
                .replace("%2F", "/");
            let mut claims = state.claims.clone();
            claims["aud"] = json!(audience);
            ("200 OK", json!({ "value": Key::First.sign(&claims) }))
        } else if request.contains("/id-token?") {
            ("401 Unauthorized", json!({}))
        } else if request.contains("/.well-known/openid-configuration") {
            (
                "200 OK",
                json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }),
            )
        } else {
            state.fetches += 1;
            let keys: Vec<Value> = state.published.iter().map(|key| key.public()).collect();
            ("200 OK", json!({ "keys": keys }))
        }
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.get_mut().write_all(answer.as_bytes()).await.ok()
}
