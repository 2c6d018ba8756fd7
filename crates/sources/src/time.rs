//! Timestamps of logs.

use chrono::{DateTime, NaiveDate};

use crate::{facts::Millis, json::Str};

/// Reads RFC 3339. Logs write `YYYY-MM-DDThh:mm:ss.mmmZ` nearly always, so that form has its own, short way.
pub(crate) fn parse(text: Option<Str<'_>>) -> Option<Millis> {
    let raw = text?.0;
    if let Some(time) = canonical(raw) {
        return Some(time);
    }
    let text = std::str::from_utf8(raw).ok()?;
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_millis())
}

fn canonical(raw: &[u8]) -> Option<Millis> {
    let raw: &[u8; 24] = raw.try_into().ok()?;
    for (at, separator) in [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (23, b'Z'),
    ] {
        if raw[at] != separator {
            return None;
        }
    }
    let digits = |range: std::ops::Range<usize>| {
        raw[range].iter().try_fold(0_u32, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let year = i32::try_from(digits(0..4)?).ok()?;
    let time = NaiveDate::from_ymd_opt(year, digits(5..7)?, digits(8..10)?)?.and_hms_milli_opt(
        digits(11..13)?,
        digits(14..16)?,
        digits(17..19)?,
        digits(20..23)?,
    )?;
    Some(time.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Millis> {
        super::parse(Some(Str(text.as_bytes())))
    }

    #[test]
    fn the_short_way_reads_what_chrono_reads() {
        for text in [
            "2026-02-11T15:31:21.340Z",
            "2024-02-29T23:59:59.999Z",
            "2026-02-11T15:31:21Z",
            "2026-02-11T15:31:21.123456789Z",
            "2026-02-11T17:31:21.340+02:00",
        ] {
            let expected = DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2026-02-30T15:31:21.340Z",
            "2026-02-11T25:31:21.340Z",
            "2026-02-11X15:31:21.340Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
