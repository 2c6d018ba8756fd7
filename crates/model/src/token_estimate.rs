//! How many tokens a text in the context of a model is, estimated from its bytes: a client cannot carry the tokenizer of
//! each model. `docs/dead-weight.md` states the rules with their measured errors.

/// Bytes of UTF-8 that are one token, in tenths, by the family of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRule {
    /// The name of the rule.
    pub name: &'static str,
    /// Of the listing of a tool: its name and its description.
    listing: i64,
    /// Of the text that a call loads: longer, with code and tables.
    body: i64,
}

const CLAUDE: TokenRule = TokenRule {
    name: "claude",
    listing: 48,
    body: 42,
};

const OTHER: TokenRule = TokenRule {
    name: "other",
    listing: 50,
    body: 45,
};

impl TokenRule {
    /// The rule for the sessions of an agent.
    pub fn of(agent: Option<&str>) -> TokenRule {
        match agent {
            None | Some("claude-code") => CLAUDE,
            Some(_) => OTHER,
        }
    }

    /// Tokens of a listing of so many bytes, rounded up.
    pub fn listing(self, bytes: i64) -> i64 {
        tokens(bytes, self.listing)
    }

    /// Tokens of a text of so many bytes that a call loads, rounded up.
    pub fn body(self, bytes: i64) -> i64 {
        tokens(bytes, self.body)
    }
}

fn tokens(bytes: i64, tenths: i64) -> i64 {
    let tokens = (i128::from(bytes.max(0)) * 10 + i128::from(tenths) - 1) / i128::from(tenths);
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_rounded_up_and_never_negative() {
        let claude = TokenRule::of(Some("claude-code"));
        assert_eq!(
            [0, 1, 48, 49, 480].map(|bytes| claude.listing(bytes)),
            [0, 1, 10, 11, 100]
        );
        assert_eq!(claude.body(420), 100);
        assert_eq!(claude.listing(-5), 0);
        assert_eq!(
            TokenRule::of(None),
            claude,
            "an inventory without an agent is of Claude Code"
        );
        assert_eq!(TokenRule::of(Some("codex")).listing(500), 100);
        assert!(claude.listing(i64::MAX) > 0);
    }
}
