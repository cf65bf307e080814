//! The model's clock: real time that tests may freeze, set and advance.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

#[derive(Debug, Clone, Copy)]
enum Mode {
    Running { offset: Millis },
    Frozen { at: Millis },
}

/// One clock for both vendors; every date they answer, `Date` headers included, comes from it.
#[derive(Debug)]
pub struct Clock(Mutex<Mode>);

impl Clock {
    /// Real time.
    #[must_use]
    pub fn running() -> Self {
        Self(Mutex::new(Mode::Running { offset: 0 }))
    }

    /// A clock that moves only by [`Clock::advance`] and [`Clock::set`].
    #[must_use]
    pub fn frozen(at: DateTime<Utc>) -> Self {
        Self(Mutex::new(Mode::Frozen { at: at.timestamp_millis() }))
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        match *self.mode() {
            Mode::Running { offset } => system_now() + offset,
            Mode::Frozen { at } => at,
        }
    }

    #[must_use]
    pub fn now_utc(&self) -> DateTime<Utc> {
        utc(self.now())
    }

    pub fn advance(&self, by: Duration) {
        let step = Millis::try_from(by.as_millis()).unwrap_or(Millis::MAX);
        match &mut *self.mode() {
            Mode::Running { offset } => *offset += step,
            Mode::Frozen { at } => *at += step,
        }
    }

    /// Moves to an instant, keeping the clock running or frozen as it is.
    pub fn set(&self, to: DateTime<Utc>) {
        match &mut *self.mode() {
            Mode::Running { offset } => *offset = to.timestamp_millis() - system_now(),
            Mode::Frozen { at } => *at = to.timestamp_millis(),
        }
    }

    /// Stops at the present instant.
    pub fn freeze(&self) {
        let at = self.now();
        *self.mode() = Mode::Frozen { at };
    }

    fn mode(&self) -> std::sync::MutexGuard<'_, Mode> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::running()
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulator's only reading of real time")]
fn system_now() -> Millis {
    Utc::now().timestamp_millis()
}

/// The instant as chrono knows it.
#[must_use]
pub fn utc(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// `YYYY-MM-DDTHH:mm:ss.sssZ`, as Confluence writes dates.
#[must_use]
pub fn rfc3339(at: Millis) -> String {
    utc(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An HTTP date.
#[must_use]
pub fn http_date(at: Millis) -> String {
    utc(at).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Start of the next UTC hour: when a points quota is filled up again.
#[must_use]
pub fn next_hour(at: Millis) -> Millis {
    const HOUR: Millis = 3_600_000;
    (at.div_euclid(HOUR) + 1) * HOUR
}
