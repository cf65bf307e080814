//! Counts what a client spends and remembers what the vendor last said about its limits and its clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Answer, headers};

/// Shared by all clones of a client, and by several clients where the vendor counts them together.
#[derive(Debug, Default)]
pub struct Meter {
    requests: AtomicU64,
    points: AtomicU64,
    signals: Mutex<Signals>,
}

/// What the answers said about limits. Instants are this process's, so that they can be compared with its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// The last answer announced that less than a fifth of a quota is left.
    pub near_limit: bool,
    /// The least that is left of any limit the last answer named.
    pub remaining: Option<u64>,
    /// When that limit starts anew.
    pub resets_at: Option<Instant>,
    /// The latest instant until which a refusal asked to stay away.
    pub paused_until: Option<Instant>,
    /// The vendor's clock at its newest answer.
    pub vendor_time: Option<DateTime<Utc>>,
}

impl Meter {
    /// Requests sent so far, repeats included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Points spent so far at a vendor that counts them, as far as its published rules tell.
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    pub fn signals(&self) -> Signals {
        *self.lock()
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn spend(&self, points: u64) {
        self.points.fetch_add(points, Ordering::Relaxed);
    }

    pub(crate) fn note(&self, answer: &Answer) {
        let now = Instant::now();
        let headers = &answer.headers;
        let least = headers::limits(headers)
            .filter(|limit| limit.remaining.is_some())
            .min_by_key(|limit| limit.remaining);
        let (remaining, resets_in) = match least {
            Some(limit) => (limit.remaining, limit.resets_in),
            None => (
                answer.header("x-ratelimit-remaining").and_then(|value| value.parse().ok()),
                headers::reset(headers),
            ),
        };
        let pause = if matches!(answer.status.as_u16(), 429 | 503) { answer.retry_after() } else { None };
        let mut signals = self.lock();
        signals.near_limit = answer.header("x-ratelimit-nearlimit").is_some_and(|value| value == "true");
        signals.remaining = remaining;
        signals.resets_at = resets_in.and_then(|span| now.checked_add(span));
        signals.paused_until = signals.paused_until.max(pause.and_then(|span| now.checked_add(span)));
        signals.vendor_time = signals.vendor_time.max(answer.date());
    }

    fn lock(&self) -> MutexGuard<'_, Signals> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use reqwest::StatusCode;

    use super::*;
    use crate::vendor::RequestId;

    fn note(meter: &Meter, status: u16, pairs: &[(&'static str, &str)]) {
        meter.note(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            body: Bytes::new(),
            request_id: RequestId::default(),
        });
    }

    #[test]
    fn the_newest_answer_tells_the_limits_and_a_pause_is_remembered() {
        let meter = Meter::default();
        let before = Instant::now();
        note(&meter, 429, &[("retry-after", "60"), ("x-ratelimit-nearlimit", "true")]);
        note(&meter, 200, &[("ratelimit", r#""a";r=900;t=30, "b";r=11;t=600"#)]);
        let signals = meter.signals();
        assert!(signals.paused_until >= Some(before + Duration::from_mins(1)));
        assert!(!signals.near_limit);
        assert_eq!(signals.remaining, Some(11));
        assert!(signals.resets_at >= Some(before + Duration::from_mins(10)));
    }

    #[test]
    fn the_vendors_clock_never_runs_backwards() {
        let meter = Meter::default();
        note(&meter, 200, &[("date", "Sun, 22 Nov 2026 12:00:05 GMT")]);
        note(&meter, 200, &[("date", "Sun, 22 Nov 2026 12:00:00 GMT")]);
        note(&meter, 200, &[]);
        assert_eq!(meter.signals().vendor_time.unwrap().to_rfc3339(), "2026-11-22T12:00:05+00:00");
    }
}
