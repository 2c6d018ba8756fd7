//! The text of an API token: `thb_`, 30 base62 characters of randomness (178 bits), 6 base62 characters of CRC-32.
//!
//! The checksum lets a secret scanner recognise a token without asking the server, and lets the server refuse a mistyped one
//! without asking the database. Same layout as GitHub's tokens
//! (<https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// What every token begins with.
pub const PREFIX: &str = "thb_";

const RANDOM_CHARS: usize = 30;
const CHECKSUM_CHARS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A token in plain text. Shown once, when it is made; its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// SHA-256 of a token: all that is stored. A fast hash is enough, because what it hides is random and not a password.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// The text is not a toolhub token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a toolhub token: it begins with `thb_`, has 40 characters, and its last six are a checksum")]
pub struct InvalidToken;

/// A secret that a browser holds, of a page session in its cookie or of a link that signs in, or that a machine holds
/// which waits for its login. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PageSecret(String);

impl PageSecret {
    /// A secret of the randomness of a fresh token.
    pub fn from_token(token: &Token) -> PageSecret {
        PageSecret(token.0[PREFIX.len()..].to_owned())
    }

    /// Reads a secret; `None` for a text that is none.
    pub fn parse(text: &str) -> Option<PageSecret> {
        let token = Token::parse(&format!("{PREFIX}{text}")).ok()?;
        Some(PageSecret::from_token(&token))
    }

    /// What is stored of it. Another hash than that of a token with the same randomness.
    pub fn hash(&self) -> TokenHash {
        self.digest("page secret")
    }

    /// What the forms of the session carry, so that only its own pages can send them.
    pub fn form_token(&self) -> String {
        crate::text::hex(&self.digest("form").0[..16])
    }

    /// The plain text.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn digest(&self, purpose: &str) -> TokenHash {
        TokenHash(Sha256::digest(format!("{purpose}:{}", self.0)).into())
    }
}

impl fmt::Debug for PageSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageSecret(…)")
    }
}

/// Letters of a user code: no vowels, so that they form no words, and none that look like a digit.
const USER_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CHARS: usize = 8;

/// The short code by which a person confirms the login of a machine: eight letters, shown as `BCDF-GHJK`. Its `Debug`
/// shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// Makes a code out of random bytes; `None` when too few of them can be used.
    pub fn from_random(bytes: &[u8]) -> Option<UserCode> {
        // 240 = 12 * 20: so that every letter is equally likely.
        let letters: String = bytes
            .iter()
            .filter(|&&byte| byte < 240)
            .take(USER_CHARS)
            .map(|&byte| char::from(USER_LETTERS[usize::from(byte % 20)]))
            .collect();
        (letters.len() == USER_CHARS).then_some(UserCode(letters))
    }

    /// Reads a code as people type it: in any case, with spaces and dashes anywhere.
    pub fn parse(text: &str) -> Option<UserCode> {
        let letters: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-'))
            .take(USER_CHARS + 1)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let is_code = letters.len() == USER_CHARS && letters.bytes().all(|byte| USER_LETTERS.contains(&byte));
        is_code.then_some(UserCode(letters))
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(format!("user code:{}", self.0)).into())
    }

    /// The code as it is shown.
    pub fn reveal(&self) -> String {
        let (first, second) = self.0.split_at(USER_CHARS / 2);
        format!("{first}-{second}")
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

impl Token {
    /// Makes a token out of random bytes. Bytes that would favour some characters are skipped, so give plenty (64);
    /// `None` when they run out.
    pub fn from_random(bytes: &[u8]) -> Option<Token> {
        // 248 = 4 * 62: the greatest multiple of 62 that fits a byte, so that every character is equally likely.
        let random: String = bytes
            .iter()
            .filter(|&&byte| byte < 248)
            .take(RANDOM_CHARS)
            .map(|&byte| char::from(BASE62[usize::from(byte % 62)]))
            .collect();
        (random.len() == RANDOM_CHARS).then(|| Token(format!("{PREFIX}{random}{}", checksum(&random))))
    }

    /// Reads a token and checks its form and checksum.
    pub fn parse(text: &str) -> Result<Token, InvalidToken> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidToken)?;
        if body.len() != RANDOM_CHARS + CHECKSUM_CHARS || !body.bytes().all(|b| BASE62.contains(&b)) {
            return Err(InvalidToken);
        }
        let (random, sum) = body.split_at(RANDOM_CHARS);
        if checksum(random) == sum {
            Ok(Token(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }

    /// The hash to store and to look up.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The plain text, for showing it once or sending it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Serializes a token into the one answer that contains it.
pub fn reveal<S: Serializer>(token: &Token, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.reveal())
}

/// Deserializes a token from that answer.
pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Token, D::Error> {
    let text = String::deserialize(deserializer)?;
    Token::parse(&text).map_err(serde::de::Error::custom)
}

/// A secret that is not a toolhub token, such as the identity token of a CI run. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The plain text, for sending or checking it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn checksum(random: &str) -> String {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut chars = [b'0'; CHECKSUM_CHARS];
    for slot in chars.iter_mut().rev() {
        *slot = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    chars.iter().map(|&b| char::from(b)).collect()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(thb_…)")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Token {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Token".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^thb_" })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn token() -> Token {
        Token::from_random(&(0..64).collect::<Vec<u8>>()).unwrap()
    }

    #[test]
    fn a_token_reads_back_and_one_wrong_character_is_noticed() {
        let text = token().reveal().to_owned();
        assert_eq!(text.len(), 40);
        assert_eq!(Token::parse(&text), Ok(token()));
        for at in 4..40 {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(
                Token::parse(std::str::from_utf8(&wrong).unwrap()),
                Err(InvalidToken),
                "at {at}"
            );
        }
        for other in ["", "thb_", "ghp_0123", &text[..39]] {
            assert_eq!(Token::parse(other), Err(InvalidToken));
        }
    }

    #[test]
    fn a_user_code_reads_back_however_it_is_typed() {
        let code = UserCode::from_random(&(0..64).collect::<Vec<u8>>()).unwrap();
        assert_eq!(code.reveal(), "BCDF-GHJK");
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk "] {
            assert_eq!(UserCode::parse(typed), Some(code.clone()), "{typed}");
        }
        for wrong in [
            "",
            "BCDF-GHJ",
            "BCDF-GHJKK",
            "ACDF-GHJK",
            "BCDF_GHJK",
            "ßCDF-GHJK",
        ] {
            assert_eq!(UserCode::parse(wrong), None, "{wrong}");
        }
        assert_eq!(UserCode::from_random(&[240; 64]), None);
        assert_eq!(format!("{code:?}"), "UserCode(…)");
    }

    #[test]
    fn too_little_randomness_makes_no_token() {
        assert_eq!(Token::from_random(&[255; 64]), None);
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let secret = PageSecret::from_token(&token());
        let shown = format!(
            "{:?} {:?} {:?} {secret:?}",
            token(),
            token().hash(),
            Secret::new("eyJ")
        );
        assert_eq!(shown, "Token(thb_…) TokenHash(…) Secret(…) PageSecret(…)");
    }

    #[test]
    fn a_page_secret_is_no_token_and_its_hashes_differ() {
        let secret = PageSecret::from_token(&token());
        assert_eq!(Token::parse(secret.reveal()), Err(InvalidToken));
        assert_eq!(PageSecret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(PageSecret::parse(token().reveal()), None);
        assert!(secret.hash() != token().hash());
        assert!(!text::hex(&secret.hash().0).contains(&secret.form_token()));
    }
}
