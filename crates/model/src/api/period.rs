//! The days of a board: a window, or any period, and what it is compared with.

use std::{fmt, str::FromStr};

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::Window;

/// What a period is compared with, as text `previous` or `2026-09-01..2026-09-30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The period of the same length that ends before it begins.
    Previous,
    /// Another period, by its first and its last UTC day.
    With(NaiveDate, NaiveDate),
}

impl FromStr for Compare {
    type Err = String;

    fn from_str(text: &str) -> Result<Compare, String> {
        if text == "previous" {
            return Ok(Compare::Previous);
        }
        let expected = || "`previous` or two days, such as 2026-09-01..2026-09-30, are expected".to_owned();
        let (first, last) = text.split_once("..").ok_or_else(expected)?;
        let (first, last) = (read_day(first)?, read_day(last)?);
        if first > last {
            return Err(format!("the period {text} ends before it begins"));
        }
        Ok(Compare::With(first, last))
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compare::Previous => f.write_str("previous"),
            Compare::With(first, last) => write!(f, "{first}..{last}"),
        }
    }
}

impl Serialize for Compare {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Compare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Compare, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Compare {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Compare".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^(previous|\d{4}-\d{2}-\d{2}\.\.\d{4}-\d{2}-\d{2})$",
        })
    }
}

/// Reads a UTC day of the years 1 to 9999.
///
/// # Errors
/// A message that says what is expected.
pub fn read_day(text: &str) -> Result<NaiveDate, String> {
    let day: Option<NaiveDate> = text.parse().ok();
    day.filter(|day| (1..=9_999).contains(&day.year()))
        .ok_or_else(|| "a day such as 2026-09-30 is expected".to_owned())
}

/// The days that a board counts, all of them UTC days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first day; `None` where it has no beginning.
    pub first: Option<NaiveDate>,
    /// The last day.
    pub last: NaiveDate,
    /// The first and the last day of the period that it is compared with.
    pub previous: Option<(NaiveDate, NaiveDate)>,
}

impl Period {
    /// The period of a request. `today` is the day on which windows end.
    ///
    /// # Errors
    /// A message that says which of the parameters contradict each other.
    pub fn of(
        window: Option<Window>,
        (from, to): (Option<NaiveDate>, Option<NaiveDate>),
        compare: Option<Compare>,
        today: NaiveDate,
    ) -> Result<Period, String> {
        let (first, last) = if from.is_some() || to.is_some() {
            if window.is_some() {
                return Err("`window` ends today: give either it, or `from` and `to`".to_owned());
            }
            (from, to.unwrap_or(today))
        } else {
            (window.unwrap_or_default().first_day(today), today)
        };
        if first.is_some_and(|first| first > last) {
            return Err(format!("the period ends on {last}, before it begins"));
        }
        let previous = match compare {
            Some(Compare::With(first, last)) => Some((first, last)),
            Some(Compare::Previous) if first.is_none() => {
                return Err(
                    "a period without a beginning has none before it: give `from`, or a window".to_owned(),
                );
            }
            Some(Compare::Previous) | None => first.and_then(|first| before(first, last)),
        };
        Ok(Period {
            first,
            last,
            previous,
        })
    }
}

/// The period of the same length before one; `None` where it would begin before the year 1.
fn before(first: NaiveDate, last: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let days = Days::new((last - first).num_days().unsigned_abs() + 1);
    let begins = first.checked_sub_days(days)?;
    (begins.year() >= 1).then_some((begins, first.pred_opt()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        read_day(text).unwrap()
    }

    fn of(from: Option<&str>, to: Option<&str>, compare: Option<&str>) -> Result<Period, String> {
        let compare = compare.map(|text| text.parse().unwrap());
        Period::of(None, (from.map(day), to.map(day)), compare, day("2026-11-26"))
    }

    #[test]
    fn a_period_is_compared_with_the_one_of_the_same_length_before_it_or_with_any_other() {
        let october = of(Some("2026-10-01"), Some("2026-10-31"), None).unwrap();
        assert_eq!(october.previous, Some((day("2026-08-31"), day("2026-09-30"))));
        let other = of(
            Some("2026-10-01"),
            Some("2026-10-31"),
            Some("2025-10-01..2025-10-31"),
        )
        .unwrap();
        assert_eq!(other.previous, Some((day("2025-10-01"), day("2025-10-31"))));
        let open = of(None, Some("2026-10-31"), None).unwrap();
        assert_eq!((open.first, open.previous), (None, None));
        let window = of(None, None, Some("previous")).unwrap();
        assert_eq!(
            (window.first, window.previous),
            (
                Some(day("2026-10-28")),
                Some((day("2026-09-28"), day("2026-10-27")))
            )
        );
        assert_eq!(
            of(Some("0001-01-01"), Some("2026-01-01"), None).unwrap().previous,
            None
        );
    }

    #[test]
    fn what_contradicts_itself_is_an_error_that_says_what_is_right() {
        let window = Period::of(
            Some(Window::Week),
            (Some(day("2026-10-01")), None),
            None,
            day("2026-11-26"),
        );
        for (error, right) in [
            (window.unwrap_err(), "either it, or `from` and `to`"),
            (
                of(Some("2026-10-02"), Some("2026-10-01"), None).unwrap_err(),
                "before it begins",
            ),
            (
                of(None, Some("2026-10-01"), Some("previous")).unwrap_err(),
                "give `from`",
            ),
            (
                "2026-10-02..2026-10-01".parse::<Compare>().unwrap_err(),
                "before it begins",
            ),
            (
                "last year".parse::<Compare>().unwrap_err(),
                "`previous` or two days",
            ),
            (
                "2026-10-02..soon".parse::<Compare>().unwrap_err(),
                "a day such as",
            ),
            (read_day("+262000-01-01").unwrap_err(), "a day such as"),
        ] {
            assert!(error.contains(right), "{error}");
        }
    }
}
