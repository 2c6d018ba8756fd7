//! How long the parts of an answer took: the header `Server-Timing`, which browsers and proxies show.
//! <https://www.w3.org/TR/server-timing/>

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::HeaderValue;

/// The parts of one request. Cheap to clone: all clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timing(Arc<Mutex<Vec<(&'static str, Duration)>>>);

impl Timing {
    /// A part is over that began at `since`.
    pub(crate) fn add(&self, part: &'static str, since: Instant) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push((part, since.elapsed()));
    }

    /// The header, in ms.
    pub(crate) fn header(&self, total: Duration) -> Option<HeaderValue> {
        let mut text = String::new();
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (part, took) in parts.iter().chain([&("total", total)]) {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{part};dur={:.2}", took.as_secs_f64() * 1e3);
        }
        HeaderValue::try_from(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_in_their_order_and_the_total_last() {
        let timing = Timing::default();
        timing.add("auth", Instant::now());
        timing.clone().add("body", Instant::now());
        let header = timing.header(Duration::from_micros(12_346)).unwrap();
        let text = header.to_str().unwrap();
        let names: Vec<&str> = text
            .split(", ")
            .filter_map(|part| part.split(';').next())
            .collect();
        assert_eq!(names, ["auth", "body", "total"]);
        assert!(text.ends_with("total;dur=12.35"), "{text}");
    }
}
