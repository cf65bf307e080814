//! Reads what both vendors say in headers about time and limits. Every span is measured from the answer's own `Date`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longer spans are a mistake of the sender or of its clock.
const LONGEST: Duration = Duration::from_hours(24);

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// `retry-after-ms`, then `Retry-After` (seconds or a date).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let milliseconds =
        || Duration::try_from_secs_f64(text(headers, "retry-after-ms")?.parse::<f64>().ok()? / 1000.0).ok();
    milliseconds().or_else(|| seconds_or_date(headers)).map(|pause| pause.min(LONGEST))
}

/// When a limit ends that has nothing left. A limit with something left is not what an answer complains about.
pub(super) fn limit_end(headers: &HeaderMap) -> Option<Duration> {
    let used_up =
        limits(headers).filter(|limit| limit.remaining == Some(0)).filter_map(|limit| limit.resets_in).max();
    let nothing_left = text(headers, "x-ratelimit-remaining").is_none_or(|left| left == "0");
    used_up.or_else(|| reset(headers).filter(|_| nothing_left)).map(|pause| pause.min(LONGEST))
}

fn seconds_or_date(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    until(headers, http_date(value)?)
}

/// `X-RateLimit-Reset`: an ISO 8601 instant (seen without seconds), or epoch seconds added by a proxy.
pub(super) fn reset(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, "x-ratelimit-reset")?;
    let instant = DateTime::parse_from_rfc3339(value)
        .map(|instant| instant.to_utc())
        .ok()
        .or_else(|| Some(NaiveDateTime::parse_from_str(value, "%Y-%m-%dT%H:%MZ").ok()?.and_utc()))
        .or_else(|| DateTime::from_timestamp(value.parse().ok()?, 0));
    until(headers, instant?).map(|span| span.min(LONGEST))
}

/// One entry of the structured `RateLimit` header: `"name";r=remaining;t=seconds`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub remaining: Option<u64>,
    pub resets_in: Option<Duration>,
}

/// The limits in force. Those announced as `Beta-RateLimit` are not, and are left out.
pub(super) fn limits(headers: &HeaderMap) -> impl Iterator<Item = Limit> + '_ {
    headers
        .get_all("ratelimit")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|entry| {
            let parameter = |name: &str| {
                entry.split(';').skip(1).find_map(|pair| {
                    let (key, value) = pair.split_once('=')?;
                    (key.trim() == name).then(|| value.trim().parse::<u64>().ok())?
                })
            };
            Limit { remaining: parameter("r"), resets_in: parameter("t").map(Duration::from_secs) }
        })
}

fn http_date(value: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(value.trim()).ok().map(|date| date.to_utc())
}

fn until(headers: &HeaderMap, instant: DateTime<Utc>) -> Option<Duration> {
    Some((instant - date(headers)?).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Sun, 22 Nov 2026 12:00:00 GMT";

    fn pause(pairs: &[(&'static str, &str)]) -> Option<f64> {
        retry_after(&map(pairs)).map(|pause| pause.as_secs_f64())
    }

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn retry_after_may_be_seconds_milliseconds_or_a_date() {
        assert_eq!(pause(&[("retry-after", "7")]), Some(7.0));
        assert_eq!(pause(&[("retry-after", "1.5")]), Some(1.5));
        assert_eq!(pause(&[("retry-after", "7"), ("retry-after-ms", "250")]), Some(0.25));
        assert_eq!(pause(&[("date", NOON), ("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT")]), Some(30.0));
    }

    #[test]
    fn a_date_is_measured_from_the_answers_own_date_only() {
        assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2026 12:00:30 GMT")]), None);
        assert_eq!(pause(&[("date", NOON), ("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT")]), Some(0.0));
    }

    #[test]
    fn nonsense_is_no_pause_and_a_huge_one_is_capped() {
        for value in ["", "soon", "-1", "NaN", "inf", "1e300"] {
            assert_eq!(pause(&[("retry-after", value)]), None, "{value}");
        }
        assert_eq!(pause(&[("retry-after", "99999999")]), Some(86_400.0));
    }

    fn end(pairs: &[(&'static str, &str)]) -> Option<f64> {
        limit_end(&map(pairs)).map(|pause| pause.as_secs_f64())
    }

    #[test]
    fn a_gateway_that_names_only_the_reset_is_understood() {
        assert_eq!(end(&[("date", NOON), ("x-ratelimit-reset", "2026-11-22T12:01Z")]), Some(60.0));
        assert_eq!(end(&[("date", NOON), ("x-ratelimit-reset", "2026-11-22T12:00:05.000Z")]), Some(5.0));
        assert_eq!(end(&[("date", NOON), ("x-ratelimit-reset", "1795348810")]), Some(10.0));
    }

    #[test]
    fn a_burst_does_not_wait_for_the_end_of_a_quota_that_has_points_left() {
        let hour =
            [("date", NOON), ("x-ratelimit-reset", "2026-11-22T13:00Z"), ("x-ratelimit-remaining", "900")];
        assert_eq!(end(&hour), None);
    }

    #[test]
    fn an_exhausted_structured_limit_tells_when_it_ends() {
        let both = r#""global-app-quota";r=0;t=600, "tenant";r=12;t=5"#;
        assert_eq!(end(&[("ratelimit", both)]), Some(600.0));
        assert_eq!(end(&[("beta-ratelimit", both)]), None);
        let limits: Vec<_> = limits(&map(&[("ratelimit", both)])).collect();
        assert_eq!(limits[1], Limit { remaining: Some(12), resets_in: Some(Duration::from_secs(5)) });
    }
}
