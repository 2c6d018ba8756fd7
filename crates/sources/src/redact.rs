//! Removing secrets from text that leaves the machine.
//!
//! The rules follow the token formats that their issuers publish and that secret scanners (gitleaks, GitHub secret
//! scanning) look for, plus assignments to names that say what they hold. A rule is better too wide than too narrow:
//! what is removed here is part of a prompt and is not needed.

use std::{borrow::Cow, sync::LazyLock};

use model::text;
use regex::Regex;

use crate::json::Str;

/// How much of a prompt is read, in raw bytes of the log. Enough for [`TASK_CHARS`] characters that are all escaped,
/// and for secrets that begin within them.
const READ_BYTES: usize = 16 * 1024;

/// Greatest length of a task text, in characters.
const TASK_CHARS: usize = 500;

/// The replacement of a secret.
pub const REMOVED: &str = "[removed]";

/// Token formats and what else is secret in any place.
const SECRETS: &[&str] = &[
    // PEM and OpenSSH private keys, to their end or the end of the text
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    // JSON Web Tokens
    r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?",
    // credentials in a URL
    r"(?:[a-z][a-z0-9+.-]*)://[^\s/:@]*:[^\s/@]+@",
    // Authorization headers
    r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}",
    // AWS
    r"\b(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}\b",
    // GitHub, GitLab
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat)-[A-Za-z0-9_.-]{16,}",
    // OpenAI, Anthropic, OpenRouter, Stripe test and live keys, and others of the form sk-…
    r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9_-]{16,}",
    // Google
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    r"\bGOCSPX-[A-Za-z0-9_-]{20,}",
    // Slack tokens and web hooks
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\bxapp-[A-Za-z0-9-]{10,}",
    r"hooks\.slack\.com/services/[A-Za-z0-9/_-]{20,}",
    // package registries, Hugging Face, DigitalOcean, Linear, Notion, Databricks, HashiCorp Vault, Sentry, Doppler
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{40,}",
    r"\bhf_[A-Za-z0-9]{30,}",
    r"\bdo[opr]_v1_[a-f0-9]{40,}",
    r"\blin_(?:api|oauth)_[A-Za-z0-9]{30,}",
    r"\b(?:secret|ntn)_[A-Za-z0-9]{36,}",
    r"\bdapi[a-h0-9]{32}",
    r"\bhv[bsr]\.[A-Za-z0-9_-]{24,}",
    r"\bsntry[su]_[A-Za-z0-9+/=_-]{32,}",
    r"\bdp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{30,}",
    r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\bSK[a-f0-9]{32}\b",
    // toolhub
    r"\bthb_[A-Za-z0-9]{30,}",
];

/// `password = …`, `"apiKey": "…"`, `--token …`: the name stays, the value goes.
const ASSIGNMENT: &str = r#"(?i)(\b[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?key|credentials?|auth[_-]?key)[a-z0-9_-]*["']?\s*(?:[:=]|=>|\s)\s*["']?)([^\s"',;]{6,})"#;

static SECRET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&SECRETS.join("|")).expect("the rules are regular expressions"));
static ASSIGNED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(ASSIGNMENT).expect("the rule is a regular expression"));

/// The text with every secret that the rules know replaced by [`REMOVED`]. No rule can know a password that is
/// alone: this lowers the risk, it does not remove it.
pub fn secrets(text: &str) -> Cow<'_, str> {
    let known = SECRET.replace_all(text, REMOVED);
    let assigned = ASSIGNED.replace_all(&known, |found: &regex::Captures<'_>| {
        let value = &found[2];
        // Words after "token" or "password" in prose are not values.
        let names_itself = found[1].ends_with([' ', '\n', '\t']) && !found[1].contains([':', '=']);
        let looks_random = value.bytes().any(|byte| byte.is_ascii_digit()) && value.len() >= 8;
        if value.contains(REMOVED) || (names_itself && !looks_random) {
            found[0].to_owned()
        } else {
            format!("{}{REMOVED}", &found[1])
        }
    });
    match assigned {
        Cow::Borrowed(_) => known,
        Cow::Owned(text) => Cow::Owned(text),
    }
}

/// The person's request, in a form that may be shown; `None` for text that the program itself wrote in its place.
pub(crate) fn prompt(text: Str<'_>) -> Option<String> {
    let head = text.head(READ_BYTES);
    let begins = ["<", "[Request interrupted", "Caveat: "];
    let own = begins.iter().any(|prefix| head.trim_start().starts_with(prefix));
    (!own).then(|| task_text(&head)).filter(|task| !task.is_empty())
}

/// The person's request, without the program's own text around it.
pub(crate) fn prompt_text(text: &str) -> Option<String> {
    let head = text.char_indices().take_while(|(at, _)| *at < READ_BYTES).last();
    let head = head.map_or("", |(at, last)| &text[..at + last.len_utf8()]);
    Some(task_text(head)).filter(|task| !task.is_empty())
}

/// The beginning of a prompt in the form in which it may be sent: secrets removed, control characters replaced, at
/// most [`TASK_CHARS`] characters.
fn task_text(prompt: &str) -> String {
    let safe = secrets(prompt);
    let safe = text::clean_prose(safe.trim());
    safe.chars().take(TASK_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_known_forms_are_removed() {
        let body = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z";
        for secret in [
            format!("ghp_{body}"),
            format!("github_pat_{body}"),
            format!("glpat-{body}"),
            format!("sk-ant-api03-{body}"),
            format!("sk-proj-{body}"),
            format!("sk_live_{body}"),
            "AKIAABCDEFGHIJKLMNOP".to_owned(),
            format!("AIza{body}"),
            format!("xoxb-123456789012-{body}"),
            format!("npm_{body}ab"),
            format!("hf_{body}"),
            format!("thb_{body}ab"),
            format!("eyJhbGciOiJIUzI1NiJ9.{body}.{body}"),
            format!("Bearer {body}"),
            "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----".to_owned(),
            "-----BEGIN RSA PRIVATE KEY-----\nnever ends".to_owned(),
        ] {
            let text = format!("use {secret} please");
            assert!(
                !secrets(&text).contains(&secret[8..]),
                "{text}: {}",
                secrets(&text)
            );
            assert!(
                secrets(&text).starts_with("use [removed]"),
                "{text}: {}",
                secrets(&text)
            );
        }
    }

    #[test]
    fn values_of_telling_names_and_credentials_in_urls_are_removed() {
        for (text, safe) in [
            ("DB_PASSWORD=hunter22", "DB_PASSWORD=[removed]"),
            (r#"{"apiKey": "abcdef123"}"#, r#"{"apiKey": "[removed]"}"#),
            ("client_secret: 'q1w2e3r4'", "client_secret: '[removed]'"),
            ("run --token abcd1234efgh now", "run --token [removed] now"),
            ("postgres://me:s3cr3t@host/db", "[removed]host/db"),
        ] {
            assert_eq!(secrets(text), safe);
        }
    }

    #[test]
    fn prose_about_secrets_stays() {
        for text in [
            "Why is the token refresh failing?",
            "Add a password field to the form",
            "Rename the secret store and keep the api key docs",
            "fix src/tokens.rs:12",
        ] {
            assert_eq!(secrets(text), text);
        }
    }

    #[test]
    fn a_task_text_is_short_and_free_of_controls() {
        let text = task_text(&format!("  do\u{1b}[31m \n{}", "é".repeat(1_000)));
        assert!(text.starts_with("do\u{FFFD}[31m \né"));
        assert_eq!(text.chars().count(), TASK_CHARS);
    }
}
