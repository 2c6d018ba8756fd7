//! Tokens of a rollout. Codex reports them as sums of the session with those of the last response beside them,
//! sometimes twice (`token_usage_record`, then `token_count`), sometimes again without a new response, and in early
//! versions as sums alone.

use crate::{
    facts::Tokens,
    json::{Cursor, Malformed},
};

/// Tokens as Codex counts them: input includes what was read from and written to the cache, output includes the
/// reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    input: u64,
    cached: u64,
    cache_write: u64,
    output: u64,
    total: u64,
}

/// Computes what each count adds to those before it.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    total: Option<Counts>,
    /// The last `token_usage_record`, until `token_count` repeats it.
    recorded: Option<Counts>,
}

impl Counts {
    /// The counts; `None` for `null`.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Counts>, Malformed> {
        if cursor.peek()? != b'{' {
            cursor.skip()?;
            return Ok(None);
        }
        let mut counts = Counts::default();
        let mut total = None;
        cursor.object(|cursor, key| {
            let count = match key {
                b"input_tokens" => &mut counts.input,
                b"cached_input_tokens" | b"cache_read_input_tokens" => &mut counts.cached,
                b"cache_write_input_tokens" => &mut counts.cache_write,
                b"output_tokens" => &mut counts.output,
                b"total_tokens" => {
                    total = cursor.count()?;
                    return Ok(());
                }
                _ => return cursor.skip(),
            };
            *count = cursor.count()?.unwrap_or(0);
            Ok(())
        })?;
        counts.total = total.unwrap_or(counts.input.saturating_add(counts.output));
        Ok(Some(counts))
    }

    /// All of them in one text, to distinguish responses.
    pub(crate) fn key(&self) -> String {
        let Counts {
            input,
            cached,
            cache_write,
            output,
            total,
        } = self;
        format!("{input}:{cached}:{cache_write}:{output}:{total}")
    }

    /// The tokens by price category.
    pub(crate) fn tokens(&self) -> Tokens {
        let cache_read = self.cached.min(self.input);
        let cache_write_5m = self.cache_write.min(self.input - cache_read);
        Tokens {
            input: self.input - cache_read - cache_write_5m,
            output: self.output,
            cache_read,
            cache_write_5m,
            ..Tokens::default()
        }
    }

    fn is_empty(&self) -> bool {
        self.input == 0 && self.output == 0
    }

    fn plus(&self, other: &Counts) -> Counts {
        self.each(other, u64::saturating_add)
    }

    fn minus(&self, other: &Counts) -> Counts {
        self.each(other, u64::saturating_sub)
    }

    fn each(&self, other: &Counts, of: impl Fn(u64, u64) -> u64) -> Counts {
        Counts {
            input: of(self.input, other.input),
            cached: of(self.cached, other.cached),
            cache_write: of(self.cache_write, other.cache_write),
            output: of(self.output, other.output),
            total: of(self.total, other.total),
        }
    }
}

impl Counter {
    /// The session's sums so far, in one text.
    pub(crate) fn so_far(&self) -> String {
        self.total.unwrap_or_default().key()
    }

    /// The session's sums so far and the tokens of the response that a count is about; `None` when it is about none.
    /// `record`: it is a `token_usage_record`. `continued`: the session began in another file, so that its first sum
    /// says nothing about the first response.
    pub(crate) fn count(
        &mut self,
        total: Option<Counts>,
        last: Option<Counts>,
        record: bool,
        continued: bool,
    ) -> Option<(Counts, Counts)> {
        let repeats = !record && last.is_some() && self.recorded == last;
        self.recorded = if record { last } else { None };
        let before = self.total;
        let total = total.or_else(|| Some(before.unwrap_or_default().plus(&last?)))?;
        self.total = Some(total);
        if repeats || before.is_some_and(|before| before.total == total.total) {
            return None;
        }
        let response = last.or_else(|| match before {
            // Sums that decrease were reset.
            Some(before) if before.total < total.total => Some(total.minus(&before)),
            None if continued => None,
            _ => Some(total),
        })?;
        (!response.is_empty()).then_some((total, response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(input: u64, output: u64) -> Counts {
        Counts {
            input,
            output,
            total: input + output,
            ..Counts::default()
        }
    }

    fn response(counter: &mut Counter, total: Option<Counts>, last: Option<Counts>) -> Option<Counts> {
        counter
            .count(total, last, false, false)
            .map(|(_, response)| response)
    }

    #[test]
    fn a_response_is_counted_once_however_often_it_is_reported() {
        let mut counter = Counter::default();
        let (total, last) = (Some(counts(10, 1)), Some(counts(10, 1)));
        assert!(counter.count(total, last, true, false).is_some());
        assert_eq!(counter.count(total, last, false, false), None);
        assert_eq!(counter.count(total, last, false, false), None);
        assert_eq!(
            response(&mut counter, Some(counts(20, 2)), Some(counts(10, 1))),
            last
        );
    }

    #[test]
    fn a_record_whose_sums_are_others_than_those_of_the_count_after_it_is_counted_once() {
        let mut counter = Counter::default();
        let last = Some(counts(10, 1));
        assert!(counter.count(Some(counts(10, 1)), last, true, false).is_some());
        assert_eq!(counter.count(Some(counts(50, 5)), last, false, false), None);
        assert_eq!(response(&mut counter, Some(counts(60, 6)), last), last);
    }

    #[test]
    fn without_the_last_response_it_is_the_difference_of_the_sums() {
        let mut counter = Counter::default();
        assert_eq!(
            response(&mut counter, Some(counts(10, 1)), None),
            Some(counts(10, 1))
        );
        assert_eq!(response(&mut counter, Some(counts(10, 1)), None), None);
        assert_eq!(
            response(&mut counter, Some(counts(30, 3)), None),
            Some(counts(20, 2))
        );
        assert_eq!(
            response(&mut counter, Some(counts(5, 1)), None),
            Some(counts(5, 1)),
            "began anew"
        );
    }

    #[test]
    fn the_first_sum_of_a_session_that_began_elsewhere_says_nothing() {
        let mut counter = Counter::default();
        assert_eq!(counter.count(Some(counts(90, 9)), None, false, true), None);
        assert_eq!(
            response(&mut counter, Some(counts(100, 10)), None),
            Some(counts(10, 1))
        );
    }

    #[test]
    fn a_response_without_sums_is_counted() {
        let mut counter = Counter::default();
        assert_eq!(
            response(&mut counter, None, Some(counts(10, 1))),
            Some(counts(10, 1))
        );
        assert_eq!(
            response(&mut counter, None, Some(counts(10, 1))),
            Some(counts(10, 1))
        );
        assert_eq!(
            response(&mut counter, Some(counts(99, 0)), Some(counts(0, 0))),
            None
        );
    }

    #[test]
    fn what_was_read_from_and_written_to_the_cache_is_part_of_the_input() {
        let counts = Counts {
            input: 100,
            cached: 60,
            cache_write: 30,
            output: 5,
            total: 105,
        };
        let tokens = counts.tokens();
        assert_eq!(
            (
                tokens.input,
                tokens.cache_read,
                tokens.cache_write_5m,
                tokens.output
            ),
            (10, 60, 30, 5)
        );
        let odd = Counts {
            cached: 999,
            ..counts
        }
        .tokens();
        assert_eq!((odd.input, odd.cache_read, odd.cache_write_5m), (0, 100, 0));
    }
}
