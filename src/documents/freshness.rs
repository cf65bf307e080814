//! How soon edits show: from edited and from detected to searchable, as percentiles, and what still waits.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The times of one edit, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// From the edit, by Confluence's clock, to the moment when it could be found.
    pub from_edited: u32,
    /// From the moment when Tidegate saw it.
    pub from_detected: u32,
}

impl Lag {
    /// The times of an edit. Confluence's clock may be ahead of ours; nothing takes less than no time.
    #[must_use]
    pub fn between(
        edited_at: DateTime<Utc>,
        detected_at: DateTime<Utc>,
        searchable_at: DateTime<Utc>,
    ) -> Self {
        let since = |at: DateTime<Utc>| {
            let seconds = searchable_at.signed_duration_since(at).num_seconds().max(0);
            u32::try_from(seconds).unwrap_or(u32::MAX)
        };
        Self { from_edited: since(edited_at), from_detected: since(detected_at) }
    }
}

/// Half of the edits took at most this long, and nineteen of twenty at most that (nearest rank).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Percentiles {
    #[schema(examples(96))]
    p50_seconds: u32,
    #[schema(examples(311))]
    p95_seconds: u32,
}

impl Percentiles {
    /// The percentiles of some times; none of no times.
    #[must_use]
    pub fn of(mut seconds: Vec<u32>) -> Option<Self> {
        seconds.sort_unstable();
        let rank =
            |percent: usize| seconds.get((seconds.len() * percent).div_ceil(100).checked_sub(1)?).copied();
        Some(Self { p50_seconds: rank(50)?, p95_seconds: rank(95)? })
    }
}

/// Changes that were seen and are not in the vector store yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Waiting {
    /// How many pages, those of first loads and those that failed and are tried again included.
    #[schema(examples(2))]
    pub pages: u64,
    /// When the one that waits longest was seen; `null` if nothing waits.
    pub oldest_detected_at: Option<DateTime<Utc>>,
}

impl Waiting {
    /// What waits here and there.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let oldest = [self.oldest_detected_at, other.oldest_detected_at].into_iter().flatten().min();
        Self { pages: self.pages + other.pages, oldest_detected_at: oldest }
    }
}

/// How soon edits show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Freshness {
    /// Pages of which an edit became searchable within the window; the newest edit of each counts.
    #[schema(examples(42))]
    edited_pages: usize,
    /// From the edit, by Confluence's clock, to the moment when its text could be found; `null` without any.
    edited_to_searchable: Option<Percentiles>,
    /// From the moment when Tidegate saw the edit; `null` without any.
    detected_to_searchable: Option<Percentiles>,
    waiting: Waiting,
}

impl Freshness {
    /// How soon these edits showed, and what waits.
    #[must_use]
    pub fn of(lags: &[Lag], waiting: Waiting) -> Self {
        Self {
            edited_pages: lags.len(),
            edited_to_searchable: Percentiles::of(lags.iter().map(|lag| lag.from_edited).collect()),
            detected_to_searchable: Percentiles::of(lags.iter().map(|lag| lag.from_detected).collect()),
            waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let of = |seconds: &[u32]| {
            Percentiles::of(seconds.to_vec()).map(|found| (found.p50_seconds, found.p95_seconds))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7)));
        assert_eq!(of(&[9, 1]), Some((1, 9)));
        assert_eq!(of(&(1..=20).rev().collect::<Vec<u32>>()), Some((10, 19)));
        assert_eq!(of(&(1..=100).collect::<Vec<u32>>()), Some((50, 95)));
    }

    #[test]
    fn a_clock_that_is_ahead_makes_nothing_faster_than_at_once() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let lag = Lag::between(now + TimeDelta::seconds(5), now - TimeDelta::seconds(3), now);
        assert_eq!((lag.from_edited, lag.from_detected), (0, 3));
    }

    #[test]
    fn what_waits_longest_counts() {
        let at = |pages, seconds| Waiting {
            pages,
            oldest_detected_at: Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)),
        };
        assert_eq!(at(1, 9).and(at(2, 3)), at(3, 3));
        assert_eq!(Waiting::default().and(at(1, 9)), at(1, 9));
    }
}
