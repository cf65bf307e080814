//! What the two vendor clients share: time limits, capped answers, short repeats, a meter and room for calls at once; no
//! vendor's rules.

mod answer;
mod headers;
mod meter;
mod repeat;
mod room;

use std::time::Duration;

pub use answer::{Lost, RequestId};
pub use meter::{Meter, Signals};
pub use room::{Place, Replicas, Room, Shared};

pub(crate) use answer::{Answer, receive};
pub(crate) use repeat::{Failure, Idempotent, Repeat, repeat};

/// How long a client waits and how long it insists.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// One request, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
    /// The same for a request that carries a file.
    pub upload_timeout: Duration,
    /// Repeats of a call begin within this time after its first attempt; zero means no repeats.
    pub retry_budget: Duration,
    /// The pause before the second repeat; it doubles with each further one. (The first comes at once after a broken
    /// connection, else after this pause.)
    pub retry_base: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_mins(2),
            retry_budget: Duration::from_secs(6),
            retry_base: Duration::from_millis(300),
        }
    }
}

/// The largest answer a client reads unless it is told otherwise.
pub(crate) const ANSWER_CAP: usize = 64 * 1024 * 1024;

/// Whether an id may become one segment of a request path. Ids come from users and vendors; one that could change the
/// path is never sent.
pub(crate) fn is_path_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !id.is_empty() && id.len() <= 128 && id.chars().all(plain) && !id.chars().all(|c| c == '.')
}

/// A vendor's own words about a refusal, short enough for a log line or a problem's detail.
pub(crate) fn short(message: &str) -> String {
    const LONGEST: usize = 300;
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_would_change_the_path_is_refused() {
        for id in ["123", "att45", "file-Ab_1", "vs_0", "batch_9f-1", "5b10a:xyz"] {
            assert!(is_path_id(id), "{id}");
        }
        for id in ["", ".", "..", "1/2", "1?x=1", "1 2", "ä", "%2e%2e", &"1".repeat(129)] {
            assert!(!is_path_id(id), "{id}");
        }
    }

    #[test]
    fn a_message_is_one_short_line() {
        assert_eq!(short(" a\nb\t"), "a b");
        assert_eq!(short(&"ä".repeat(400)).chars().count(), 300);
    }
}
