//! What the listing of a tool costs: the requests of its session that carried it, its tokens, and their price.

use model::TokenRule;

use crate::{
    facts::{ListingKind, Load, Millis, Tokens, Usage},
    prices::{Applied, PromptPrices},
    strings::Sym,
};

/// A request of a session that listed its tools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carrier {
    pub(super) session: Sym,
    at: Millis,
    /// `None` for a model without a price.
    prices: Option<PromptPrices>,
}

impl Carrier {
    /// `None` where the usage is not of one request with a prompt.
    pub(super) fn of(session: Sym, usage: &Usage, applied: Option<Applied<'_>>) -> Option<Carrier> {
        let is_request = !usage.sums_session && usage.within.is_none() && usage.tokens != Tokens::default();
        let at = usage.at.filter(|_| is_request)?;
        Some(Carrier {
            session,
            at,
            prices: applied.map(|applied| applied.prompt(&usage.tokens)),
        })
    }
}

/// The requests of one session, by time, with what a token costs from one of them to the end.
#[derive(Default)]
pub(super) struct Requests<'a> {
    sorted: &'a [Carrier],
    /// At each request: micro-USD per million tokens in it and all later ones, and how many of them have a price.
    until_end: Vec<(u128, usize)>,
}

/// What the listing of one tool came to in one session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) tokens: i64,
    pub(super) requests: i64,
    pub(super) carried_tokens: i64,
    pub(super) cost_micro_usd: Option<i64>,
}

impl<'a> Requests<'a> {
    /// Of requests that are sorted by time.
    pub(super) fn new(sorted: &'a [Carrier]) -> Requests<'a> {
        let mut until_end = vec![(0, 0); sorted.len() + 1];
        for at in (0..sorted.len()).rev() {
            let (cost, priced) = until_end[at + 1];
            until_end[at] = match sorted[at].prices {
                Some(prices) => (cost + prices.later, priced + 1),
                None => (cost, priced),
            };
        }
        Requests { sorted, until_end }
    }

    /// What a tool came to. `loads` are its records, by time; a record takes the place of an earlier one of its kind.
    /// `None` where the session has no request, or the records no text.
    pub(super) fn carried(&self, loads: &[&Load], rule: TokenRule) -> Option<Carried> {
        let mut bytes: Vec<(ListingKind, u64)> = Vec::new();
        let (mut most, mut carried, mut pico, mut priced) = (0_i64, 0_i128, 0_u128, 0);
        let mut first_request = None;
        for (nth, load) in loads.iter().enumerate() {
            let before = listed(&bytes, rule);
            match bytes.iter_mut().find(|(kind, _)| *kind == load.listing) {
                Some((_, known)) => *known = load.bytes,
                None => bytes.push((load.listing, load.bytes)),
            }
            let tokens = listed(&bytes, rule);
            most = most.max(tokens);
            let from = self.from(load.at);
            let until = loads
                .get(nth + 1)
                .map_or(self.sorted.len(), |next| self.from(next.at));
            first_request.get_or_insert(from);
            if from >= until {
                continue;
            }
            let count = |n: i64, times: usize| i128::from(n) * i128::try_from(times).unwrap_or(i128::MAX);
            carried += count(tokens, until - from);
            let (cost, with_price) = self.until_end[from];
            let (cost_after, with_price_after) = self.until_end[until];
            pico += (cost - cost_after) * u128::from(tokens.unsigned_abs());
            priced += with_price - with_price_after;
            // What this record brought is in no cache yet.
            if let Some(prices) = self.sorted[from].prices {
                let new = u128::from((tokens - before).max(0).unsigned_abs());
                pico += new * prices.first;
                pico -= new * prices.later;
            }
        }
        let is_known = !self.sorted.is_empty() && most > 0;
        is_known.then(|| Carried {
            tokens: most,
            requests: whole(self.sorted.len() - first_request.unwrap_or(0)),
            carried_tokens: i64::try_from(carried).unwrap_or(i64::MAX),
            cost_micro_usd: (priced > 0).then(|| {
                let micro = (pico + 500_000) / 1_000_000;
                i64::try_from(micro).unwrap_or(i64::MAX)
            }),
        })
    }

    /// The first request at or after a time.
    fn from(&self, at: Option<Millis>) -> usize {
        let at = at.unwrap_or(Millis::MIN);
        self.sorted.partition_point(|request| request.at < at)
    }
}

/// Sorts the requests of all sessions for [`Requests::new`].
pub(super) fn sort(carriers: &mut [Carrier]) {
    carriers.sort_unstable_by_key(|carrier| (carrier.session, carrier.at));
}

fn listed(bytes: &[(ListingKind, u64)], rule: TokenRule) -> i64 {
    let sum = bytes
        .iter()
        .fold(0_u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    rule.listing(i64::try_from(sum).unwrap_or(i64::MAX))
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::{Context, FileFacts},
        strings::Strings,
    };

    const PRICES: PromptPrices = PromptPrices {
        first: 5_000_000,
        later: 500_000,
    };

    fn request(strings: &mut Strings, at: Millis) -> Carrier {
        Carrier {
            session: strings.intern("s"),
            at,
            prices: Some(PRICES),
        }
    }

    fn load(strings: &mut Strings, at: Millis, listing: ListingKind, bytes: u64) -> Load {
        Load {
            context: Context::default(),
            record: strings.intern("r"),
            at: Some(at),
            tool: strings.intern("mcp:x"),
            bytes,
            listing,
        }
    }

    fn carried(requests: &[Carrier], loads: &[Load]) -> Option<Carried> {
        let loads: Vec<&Load> = loads.iter().collect();
        Requests::new(requests).carried(&loads, TokenRule::of(Some("claude-code")))
    }

    #[test]
    fn the_first_request_writes_a_listing_and_later_ones_read_it() {
        let strings = &mut FileFacts::new("log").strings;
        let requests = [1, 10, 20, 30].map(|at| request(strings, at));
        let loads = [load(strings, 5, ListingKind::Skills, 4_800)];
        let expected = Carried {
            tokens: 1_000,
            requests: 3,
            carried_tokens: 3_000,
            cost_micro_usd: Some(5_000 + 500 + 500),
        };
        assert_eq!(carried(&requests, &loads), Some(expected));
    }

    #[test]
    fn a_listing_is_replaced_by_a_later_one_of_its_kind_and_added_to_those_of_others() {
        let strings = &mut FileFacts::new("log").strings;
        let requests = [10, 20, 30].map(|at| request(strings, at));
        let loads = [
            load(strings, 5, ListingKind::DeferredTools, 480),
            load(strings, 15, ListingKind::Instructions, 480),
            load(strings, 25, ListingKind::DeferredTools, 960),
        ];
        let carried = carried(&requests, &loads).unwrap();
        assert_eq!((carried.tokens, carried.carried_tokens), (300, 100 + 200 + 300));
        assert_eq!(carried.cost_micro_usd, Some(500 + (500 + 50) + (500 + 100)));
    }

    #[test]
    fn without_a_price_a_request_or_a_text_nothing_is_made_up() {
        let strings = &mut FileFacts::new("log").strings;
        let mut requests = [10, 20].map(|at| request(strings, at));
        let loads = [load(strings, 5, ListingKind::Agents, 48)];
        assert_eq!(carried(&[], &loads), None);
        assert_eq!(
            carried(&requests, &[load(strings, 5, ListingKind::Skills, 0)]),
            None
        );
        let late = [load(strings, 99, ListingKind::Skills, 48)];
        let carried_late = carried(&requests, &late).unwrap();
        assert_eq!((carried_late.requests, carried_late.cost_micro_usd), (0, None));
        requests[1].prices = None;
        assert_eq!(carried(&requests, &loads).unwrap().cost_micro_usd, Some(50));
        requests[0].prices = None;
        assert_eq!(carried(&requests, &loads).unwrap().cost_micro_usd, None);
    }
}
