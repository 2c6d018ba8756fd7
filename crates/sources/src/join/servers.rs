//! The names of MCP servers. A call's own record may contain only the form that is allowed in a tool's name
//! (`my_echo`); the report of its end contains the actual name (`my-echo`). A name learned from one call applies to the
//! others.

use std::collections::HashMap;

use super::Joined;
use crate::strings::{Strings, Sym};

/// The server of each plain name; `None` when two servers share it.
#[derive(Debug, Default)]
pub(super) struct ServerNames(HashMap<Sym, Option<Sym>>);

impl ServerNames {
    /// Records that a call with one of the `recorded` tools went to `named`.
    pub(super) fn learn(&mut self, recorded: Sym, named: Sym, strings: &Strings) {
        if !is_plain_form(strings.get(recorded), strings.get(named)) {
            return;
        }
        self.0
            .entry(recorded)
            .and_modify(|known| *known = known.filter(|known| *known == named))
            .or_insert(Some(named));
    }

    /// Applies the names learned from other calls to the calls whose end was not reported.
    pub(super) fn apply(&self, calls: &mut [Joined]) {
        if self.0.is_empty() {
            return;
        }
        for joined in calls {
            if let Some(Some(named)) = self.0.get(&joined.call.tool) {
                joined.call.tool = *named;
            }
        }
    }
}

/// True when a tool's id is that of an MCP server with the characters replaced that are not allowed in a tool's name.
fn is_plain_form(plain: &str, name: &str) -> bool {
    let (Some(plain), Some(name)) = (plain.strip_prefix("mcp:"), name.strip_prefix("mcp:")) else {
        return false;
    };
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.chars().map(fits).eq(plain.chars().map(fits))
}
