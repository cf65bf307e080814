//! Habits in which servers of this API differ, as switches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the server does with a batch's `files[]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchSupport {
    #[default]
    Full,
    /// Accepts `files[]` and ignores it: total 0, completed at once.
    IgnoresFiles,
    /// Has no such route: 404.
    Missing,
}

/// Habits in which servers of this API differ.
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Habits {
    pub batches: BatchSupport,
    /// Most files in one batch.
    pub batch_limit: usize,
    /// Deleting a file takes it out of all stores.
    pub delete_cascades: bool,
    /// What is not there is answered with 400 and only a message.
    pub not_found_as_400: bool,
    /// An `after` that is gone restarts the list instead of being refused.
    pub lost_after_restarts: bool,
    /// Attaching an unknown file answers 200 with a failed entry.
    pub attaches_phantoms: bool,
    /// Search filters see attribute updates.
    pub filters_see_updates: bool,
    /// How long a removed entry can still be found.
    #[serde(with = "milliseconds", rename = "removal_lag_ms")]
    pub removal_lag: Duration,
    /// How long indexing takes; zero is done by the first poll.
    #[serde(with = "milliseconds", rename = "indexing_ms")]
    pub indexing: Duration,
    /// Uploads a minute per key; `None` is no limit.
    pub uploads_per_minute: Option<u32>,
    /// Attach requests a minute per store; `None` is no limit.
    pub attaches_per_minute: Option<u32>,
    /// Any key is taken as that of the first project.
    pub any_key: bool,
    /// Milliseconds that batch and file reads suggest until the next poll.
    pub poll_after_ms: Option<u64>,
}

/// Durations as whole milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            batches: BatchSupport::Full,
            batch_limit: 500,
            delete_cascades: true,
            not_found_as_400: false,
            lost_after_restarts: false,
            attaches_phantoms: false,
            filters_see_updates: true,
            removal_lag: Duration::ZERO,
            indexing: Duration::ZERO,
            uploads_per_minute: None,
            attaches_per_minute: None,
            any_key: false,
            poll_after_ms: None,
        }
    }
}

impl Habits {
    /// The measured ways of OGX, a server that speaks this API but is not OpenAI.
    #[must_use]
    pub fn ogx() -> Self {
        Self {
            batches: BatchSupport::IgnoresFiles,
            delete_cascades: false,
            not_found_as_400: true,
            lost_after_restarts: true,
            attaches_phantoms: true,
            filters_see_updates: false,
            any_key: true,
            ..Self::default()
        }
    }
}
