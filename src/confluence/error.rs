//! What went wrong with a call to Confluence, sorted by what the caller does next.

use std::time::Duration;

use serde_json::Value;

use crate::vendor::{Answer, Failure, Lost, Repeat, RequestId, short};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credentials are not accepted: refresh the token once, then ask for a new consent.
    #[error("Confluence does not accept the credentials ({request_id})")]
    Unauthorized { request_id: RequestId },
    /// The grant lacks a scope that the call needs: the app's settings are wrong, a new consent alone does not help.
    #[error("the grant lacks a scope that this call needs ({request_id})")]
    ScopeMissing { request_id: RequestId },
    /// The account may not do this. The gateway also answers an *expired token* so on v1 paths.
    #[error("Confluence refuses this to the account ({request_id})")]
    Forbidden { request_id: RequestId },
    /// Not there, or not visible to the account. The gateway also answers an *expired token* so on v2 paths, so this
    /// proves nothing until the connection is known to be healthy.
    #[error("Confluence does not show this to the account ({request_id})")]
    NotFound { request_id: RequestId },
    /// Too many calls. `quota`: an hourly quota is used up, so every call has to wait; otherwise only a burst was too
    /// quick. Nothing was done.
    #[error("Confluence limits the rate of calls ({request_id})")]
    RateLimited { retry_after: Option<Duration>, quota: bool, request_id: RequestId },
    /// The vendor is in trouble or took too long: later.
    #[error("Confluence answers {status} ({request_id})")]
    Unavailable { status: u16, retry_after: Option<Duration>, request_id: RequestId },
    /// A listing can't be continued from where it was: start it anew.
    #[error("Confluence no longer knows the cursor ({request_id})")]
    CursorExpired { request_id: RequestId },
    /// The call itself is wrong, and repeating it changes nothing.
    #[error("Confluence refuses the call with {status}: {message} ({request_id})")]
    Rejected { status: u16, code: Option<String>, message: String, request_id: RequestId },
    /// The answer breaks the vendor's own rules: nothing may be concluded from it.
    #[error("Confluence's answer makes no sense: {what} ({request_id})")]
    Malformed { what: String, request_id: RequestId },
    #[error("no answer from Confluence")]
    Transport(#[from] Lost),
}

impl Error {
    /// Whether the same call may well succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Unavailable { .. }
                | Self::CursorExpired { .. }
                | Self::Transport(Lost::NotSent(_) | Lost::AnswerLost(_))
        )
    }

    /// How long the vendor asked to stay away.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the request may have been carried out all the same. (We only read from Confluence, so this tells no
    /// more than that points may have been spent.)
    #[must_use]
    pub fn effect_unknown(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Malformed { .. } | Self::Transport(Lost::AnswerLost(_))
        )
    }

    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the answer was larger than the client reads: the same call for fewer pages may do.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Transport(Lost::TooLarge { .. }))
    }

    /// A call that is not made because it could not mean what it says.
    pub(super) fn refused(code: &str, message: &str) -> Self {
        Self::Rejected {
            status: 400,
            code: Some(code.to_owned()),
            message: message.to_owned(),
            request_id: RequestId::default(),
        }
    }

    pub(super) fn malformed(what: impl Into<String>, request_id: &RequestId) -> Self {
        Self::Malformed { what: what.into(), request_id: request_id.clone() }
    }

    /// Sorts an answer that is not a success.
    pub(super) fn from_answer(answer: &Answer) -> Self {
        let request_id = answer.request_id.clone();
        let status = answer.status.as_u16();
        let (code, message) = words(&answer.body);
        let says = |phrase: &str| message.to_ascii_lowercase().contains(phrase);
        match status {
            401 if says("scope does not match") => Self::ScopeMissing { request_id },
            401 => Self::Unauthorized { request_id },
            403 => Self::Forbidden { request_id },
            404 => Self::NotFound { request_id },
            429 => {
                Self::RateLimited { retry_after: answer.retry_after(), quota: is_quota(answer), request_id }
            }
            408 | 500.. => Self::Unavailable { status, retry_after: answer.retry_after(), request_id },
            400 if says("cursor") => Self::CursorExpired { request_id },
            _ => Self::Rejected { status, code, message, request_id },
        }
    }
}

impl Failure for Error {
    fn repeat(&self) -> Repeat {
        match self {
            Self::RateLimited { retry_after: Some(pause), .. }
            | Self::Unavailable { retry_after: Some(pause), .. } => Repeat::After(*pause),
            Self::Unavailable { retry_after: None, .. } => Repeat::Soon,
            Self::Transport(Lost::NotSent(_) | Lost::AnswerLost(_)) => Repeat::AtOnce,
            _ => Repeat::Never,
        }
    }

    fn lost(&self) -> Option<&Lost> {
        match self {
            Self::Transport(lost) => Some(lost),
            _ => None,
        }
    }
}

/// The reasons are documented as `confluence-quota-…-based` and were seen as `conf-global-based`.
fn is_quota(answer: &Answer) -> bool {
    let reason = answer.header("ratelimit-reason").unwrap_or_default().to_ascii_lowercase();
    reason.contains("quota") || reason.contains("global-based") || reason.contains("tenant-based")
}

/// Code and message of an error body: v2 has `errors[]`, v1 and the gateway have `message`.
fn words(body: &[u8]) -> (Option<String>, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &body["errors"][0];
    let text = |value: &Value| value.as_str().map(short).filter(|text| !text.is_empty());
    let code = text(&first["code"]).or_else(|| text(&body["code"])).or_else(|| text(&body["error"]));
    let message = text(&first["title"]).or_else(|| text(&first["detail"])).or_else(|| text(&body["message"]));
    (code, message.unwrap_or_else(|| "no reason given".to_owned()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::StatusCode;

    use super::*;

    fn sort(status: u16, headers: &[(&'static str, &str)], body: &str) -> Error {
        Error::from_answer(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            request_id: RequestId::default(),
        })
    }

    #[test]
    fn a_missing_scope_is_not_a_dead_token() {
        let scope = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;
        assert!(matches!(sort(401, &[], scope), Error::ScopeMissing { .. }));
        assert!(matches!(sort(401, &[], ""), Error::Unauthorized { .. }));
    }

    #[test]
    fn a_removed_call_is_not_a_missing_page() {
        assert!(sort(404, &[], "").is_not_found());
        assert!(matches!(sort(410, &[], ""), Error::Rejected { status: 410, .. }));
        assert!(matches!(sort(302, &[], ""), Error::Rejected { status: 302, .. }));
    }

    #[test]
    fn a_used_up_quota_is_told_from_a_burst() {
        let quota = [("ratelimit-reason", "conf-global-based"), ("retry-after", "600")];
        let Error::RateLimited { retry_after, quota: true, .. } = sort(429, &quota, "") else { panic!() };
        assert_eq!(retry_after, Some(Duration::from_mins(10)));
        let Error::RateLimited { retry_after: None, quota: false, .. } = sort(429, &[], "") else { panic!() };
    }

    #[test]
    fn a_stale_cursor_means_start_anew() {
        let stale = r#"{"errors":[{"status":400,"code":"INVALID_REQUEST_PARAMETER",
            "title":"Provided value for 'cursor' is not the correct type. Expected type is Cursor."}]}"#;
        assert!(matches!(sort(400, &[], stale), Error::CursorExpired { .. }));
        let Error::Rejected { code, message, .. } =
            sort(400, &[], r#"{"errors":[{"status":400,"code":"INVALID","title":"Too many ids"}]}"#)
        else {
            panic!()
        };
        assert_eq!((code.as_deref(), message.as_str()), (Some("INVALID"), "Too many ids"));
    }

    #[test]
    fn trouble_at_the_vendor_is_transient_and_refusals_are_not() {
        assert!(sort(503, &[], "<html>").is_transient());
        assert!(sort(408, &[], "").is_transient());
        assert!(!sort(403, &[], "").is_transient());
        assert!(!sort(400, &[], "").is_transient());
    }
}
