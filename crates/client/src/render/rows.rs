//! The columns of each listing. A rate always comes with the number of calls behind it.

mod scored;
mod sent;
mod used;

pub(crate) use scored::{dead_weight, decisions, leaderboard, savings, score, scores};
pub(super) use sent::ci;
pub(crate) use sent::{events, uploads};
pub(crate) use used::usage;

use chrono::{DateTime, Utc};
use model::{
    api::Me,
    cell::{Tone, ago},
};

use super::{Cell, Column, Listing};

/// A column aligned to the left.
pub(super) const fn name(key: &'static str, title: &'static str) -> Column {
    Column {
        key,
        title: Some(title),
        right: false,
        level: 0,
        prose: false,
    }
}

/// A column aligned to the right.
pub(super) const fn figure(key: &'static str, title: &'static str) -> Column {
    Column {
        key,
        title: Some(title),
        right: true,
        level: 0,
        prose: false,
    }
}

/// A column of CSV only.
pub(super) const fn detail(key: &'static str) -> Column {
    Column {
        key,
        title: None,
        right: false,
        level: 0,
        prose: false,
    }
}

/// The age of the scores, and how to get the next page.
fn notes(as_of: Option<DateTime<Utc>>, cursor: Option<&String>, now: DateTime<Utc>) -> Vec<String> {
    let mut notes = vec![match as_of {
        Some(as_of) => format!("scores as of {}", ago(as_of, now)),
        None => "no scores yet: they are computed shortly after the first upload".to_owned(),
    }];
    notes.extend(next_page(cursor));
    notes
}

pub(super) fn next_page(cursor: Option<&String>) -> Option<String> {
    cursor.map(|cursor| format!("there is more: --cursor {}", model::text::clean(cursor)))
}

/// `GET /v1/me`.
pub(crate) fn me(response: &Me, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("org", "org"),
        name("member", "member"),
        name("role", "role"),
        name("kind", "kind").level(3),
        name("scopes", "scopes").level(1),
        name("token_name", "token").level(2),
        name("token_expires_at", "expires").level(1),
    ];
    let scopes: Vec<&str> = response.scopes.iter().map(|scope| scope.as_str()).collect();
    let expires = response.token_expires_at;
    let row = vec![
        Cell::text(&response.org),
        Cell::text(&response.member),
        Cell::text(response.role.as_str()),
        Cell::text(response.kind.as_str()),
        Cell::text(&scopes.join(",")),
        Cell::text(&response.token_name),
        if expires.is_some() {
            Cell::time(expires, now)
        } else {
            Cell::text("never")
        },
    ];
    Listing {
        columns,
        rows: vec![row],
        notes: Vec::new(),
    }
}

/// The prices of models.
pub fn prices<'a>(prices: impl Iterator<Item = &'a sources::Price>) -> Listing {
    let columns = vec![
        name("model", "model"),
        name("from", "from").level(2),
        name("tier", "tier").level(2),
        figure("over", "over").level(3),
        figure("input", "input"),
        figure("output", "output"),
        figure("cache_read", "cache read").level(1),
        figure("cache_write_5m", "write 5 min").level(4),
        figure("cache_write_1h", "write 1 h").level(5),
        detail("hours"),
        detail("web_search"),
        detail("source"),
    ];
    let rows = prices.map(|price| {
        let amounts = [
            price.input,
            price.output,
            price.cache_read,
            price.cache_write_5m,
            price.cache_write_1h,
        ];
        let optional = |text: Option<String>| Cell::text(&text.unwrap_or_default());
        let over = (price.over > 0).then(|| price.over.to_string());
        let tier = (price.tier != sources::Tier::Standard).then(|| price.tier.as_str().to_owned());
        let mut row = vec![
            Cell::text(&price.model),
            optional(price.from.map(|day| day.to_string())),
            optional(tier),
            optional(over),
        ];
        row.extend(amounts.map(|amount| Cell::usd(Some(amount))));
        row.extend([
            optional(price.hours.map(|hours| hours.to_string())),
            Cell::usd(price.web_search),
            Cell::text(&price.source),
        ]);
        row
    });
    Listing {
        columns,
        rows: rows.collect(),
        notes: vec!["USD per million tokens; web searches per thousand; hours in UTC".into()],
    }
}
