//! Model names, as vendors, hosts and logs write them.

/// A name with a `*` for anything before or after it.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    before: bool,
    after: bool,
}

impl Pattern {
    /// `None` for a plain name.
    pub(super) fn parse(name: &str) -> Option<Pattern> {
        let (before, rest) = name.strip_prefix('*').map_or((false, name), |rest| (true, rest));
        let (after, text) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        (before || after).then(|| Pattern {
            text: text.to_owned(),
            before,
            after,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// True when the pattern matches the name. A digit after a digit makes another number: `k2.5*` does not match
    /// `k2.55`.
    pub(super) fn matches(&self, name: &str) -> bool {
        let text = self.text.as_str();
        let goes_on = |rest: &str| {
            let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
            if self.after {
                !(digit(text.as_bytes().last()) && digit(rest.as_bytes().first()))
            } else {
                rest.is_empty()
            }
        };
        if self.before {
            name.match_indices(text)
                .any(|(at, _)| goes_on(&name[at + text.len()..]))
        } else {
            name.strip_prefix(text).is_some_and(goes_on)
        }
    }
}

/// The names under which a model is looked up, the most specific first: as in the log, without the prefix of the host
/// (`openai/…`, `us.anthropic.…`), and with the version of a Claude model in dashes (`claude-sonnet-4.6`).
pub(super) fn candidates(model: &str) -> Vec<String> {
    let full = model.trim().to_lowercase();
    let last = full.rsplit('/').next().unwrap_or(&full);
    let bare = last
        .find("claude-")
        .map_or_else(|| without_host(last), |at| &last[at..]);
    let mut names = vec![full.clone(), last.to_owned(), bare.to_owned()];
    if bare.starts_with("claude-") {
        names.push(bare.replace('.', "-"));
    }
    names.dedup();
    names
}

/// Without words that end in a dot, as Bedrock puts region and vendor before a model. A version has digits.
fn without_host(name: &str) -> &str {
    let mut name = name;
    while let Some((word, rest)) = name.split_once('.') {
        let is_word = !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        if !is_word || !rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            break;
        }
        name = rest;
    }
    name
}

/// The prefixes of a name that are followed only by a suffix that does not change the model, the longest first.
pub(super) fn without_decoration(name: &str) -> impl Iterator<Item = &str> {
    (1..name.len())
        .rev()
        .filter(|&end| name.is_char_boundary(end) && is_decoration(&name[end..]))
        .map(|end| &name[..end])
}

/// True for a suffix that does not change the model: a date, `-latest`, `-preview`, a version of the hosting (`-v1:0`),
/// a tag. Any other number or word makes another model, whose price is not known. `:free` is not accepted, because a
/// free offer does not cost what the model costs elsewhere.
fn is_decoration(rest: &str) -> bool {
    let Some(first) = rest.chars().next() else {
        return true;
    };
    let after = &rest[first.len_utf8()..];
    if rest.ends_with(":free") {
        return false;
    }
    match first {
        '@' | ':' | '[' => true,
        '-' => {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            digits >= 4
                || ["latest", "preview", "v1", "v2"]
                    .iter()
                    .any(|word| after.starts_with(word))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_looked_up_as_it_stands_and_without_its_host() {
        assert_eq!(candidates("gpt-5.5"), ["gpt-5.5"]);
        assert_eq!(
            candidates("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            [
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5-20250929-v1:0"
            ]
        );
        assert_eq!(
            candidates("Anthropic/Claude-Haiku-4.5"),
            [
                "anthropic/claude-haiku-4.5",
                "claude-haiku-4.5",
                "claude-haiku-4-5"
            ]
        );
        assert_eq!(candidates("global.moonshotai.kimi-k3.1")[1], "kimi-k3.1");
    }

    #[test]
    fn a_pattern_does_not_cut_a_number() {
        let pattern = |text: &str| Pattern::parse(text).unwrap();
        assert!(Pattern::parse("kimi-k2.5").is_none());
        assert!(pattern("kimi-k2.5*").matches("kimi-k2.5-turbo"));
        assert!(!pattern("kimi-k2.5*").matches("kimi-k2.55"));
        assert!(pattern("*nova-pro*").matches("us.amazon.nova-pro-v1:0"));
        assert!(pattern("*/kimi-k3").matches("bedrock/kimi-k3"));
        assert!(!pattern("*/kimi-k3").matches("bedrock/kimi-k3-x"));
    }
}
