//! Repeats a call for a few seconds at most; anything longer is the next tick's business.
//!
//! * a call that may have had its effect is repeated only if repeating it is harmless;
//! * a broken connection is tried again at once, once: the server may have closed an idle one;
//! * no repeat begins after the budget, and there are never more than four.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::{Lost, Timing};

const MOST_REPEATS: u32 = 4;

/// Whether sending a request twice does the same as sending it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotent {
    Yes,
    No,
}

/// What a failure says about trying again now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Never,
    AtOnce,
    Soon,
    After(Duration),
}

pub(crate) trait Failure: fmt::Display {
    /// What an idempotent call does about this failure.
    fn repeat(&self) -> Repeat;
    /// Set when no answer came.
    fn lost(&self) -> Option<&Lost>;
}

pub(crate) async fn repeat<T, E, F>(
    timing: &Timing,
    idempotent: Idempotent,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E>
where
    E: Failure,
    F: Future<Output = Result<T, E>>,
{
    let begun = Instant::now();
    let mut repeats = 0;
    loop {
        let error = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let harmless = idempotent == Idempotent::Yes || matches!(error.lost(), Some(Lost::NotSent(_)));
        let pause = if harmless { pause(timing, repeats, begun.elapsed(), error.repeat()) } else { None };
        let Some(pause) = pause else { return Err(error) };
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(reason = %error, pause_ms, "a call is repeated");
        tokio::time::sleep(pause).await;
        repeats += 1;
    }
}

/// How long to wait before the next repeat; nothing if there shall be none.
fn pause(timing: &Timing, repeats: u32, elapsed: Duration, repeat: Repeat) -> Option<Duration> {
    let growing = timing.retry_base * 2_u32.pow(repeats.saturating_sub(1));
    let pause = match repeat {
        Repeat::Never => return None,
        Repeat::AtOnce if repeats == 0 => Duration::ZERO,
        Repeat::AtOnce | Repeat::Soon => growing.mul_f64(rand::random_range(0.7..1.3)),
        Repeat::After(least) => least.mul_f64(rand::random_range(1.0..1.3)),
    };
    (repeats < MOST_REPEATS && elapsed + pause < timing.retry_budget).then_some(pause)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Stub(Repeat);

    impl fmt::Display for Stub {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("stub")
        }
    }

    impl Failure for Stub {
        fn repeat(&self) -> Repeat {
            self.0
        }

        fn lost(&self) -> Option<&Lost> {
            None
        }
    }

    async fn attempts(timing: Timing, idempotent: Idempotent, answer: Repeat) -> u32 {
        let count = Cell::new(0);
        let result: Result<(), Stub> = repeat(&timing, idempotent, || {
            count.set(count.get() + 1);
            std::future::ready(Err(Stub(answer)))
        })
        .await;
        assert!(result.is_err());
        count.get()
    }

    const QUICK: Timing = Timing {
        request_timeout: Duration::from_secs(1),
        upload_timeout: Duration::from_secs(1),
        retry_budget: Duration::from_mins(1),
        retry_base: Duration::from_micros(1),
    };

    #[tokio::test]
    async fn a_failing_call_is_repeated_at_most_four_times() {
        assert_eq!(attempts(QUICK, Idempotent::Yes, Repeat::Soon).await, 5);
        assert_eq!(attempts(QUICK, Idempotent::Yes, Repeat::AtOnce).await, 5);
    }

    #[tokio::test]
    async fn a_call_with_an_effect_is_not_repeated_after_an_answer() {
        assert_eq!(attempts(QUICK, Idempotent::No, Repeat::Soon).await, 1);
        assert_eq!(attempts(QUICK, Idempotent::Yes, Repeat::Never).await, 1);
    }

    #[tokio::test]
    async fn a_zero_budget_means_one_attempt() {
        let timing = Timing { retry_budget: Duration::ZERO, ..QUICK };
        assert_eq!(attempts(timing, Idempotent::Yes, Repeat::AtOnce).await, 1);
    }

    #[test]
    fn a_pause_that_outlasts_the_budget_is_left_to_the_caller() {
        let timing = Timing::default();
        let after = |asked, elapsed| {
            pause(&timing, 0, Duration::from_secs(elapsed), Repeat::After(Duration::from_secs(asked)))
        };
        assert!(after(2, 0).is_some_and(|pause| pause >= Duration::from_secs(2)));
        assert_eq!(after(20, 0), None);
        assert_eq!(after(2, 5), None);
    }

    #[test]
    fn pauses_grow_and_a_broken_connection_is_tried_again_at_once() {
        let timing = Timing::default();
        let nth = |repeats, repeat| pause(&timing, repeats, Duration::ZERO, repeat).unwrap();
        assert_eq!(nth(0, Repeat::AtOnce), Duration::ZERO);
        assert!(nth(1, Repeat::AtOnce) >= timing.retry_base.mul_f64(0.7));
        assert!(nth(3, Repeat::Soon) > nth(1, Repeat::Soon));
    }
}
