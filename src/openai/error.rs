//! What went wrong with a call to OpenAI or a compatible server, sorted by what the caller does next.

use std::time::Duration;

use serde_json::Value;

use crate::vendor::{Answer, Failure, Lost, Repeat, RequestId, short};

/// Codes and types of refusals that no pause mends: somebody has to pay or to raise a limit.
const QUOTA_CODES: [&str; 7] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_usage_limit_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is not accepted.
    #[error("OpenAI does not accept the key ({request_id})")]
    Unauthorized { request_id: RequestId },
    /// The key may not do this, or not from here.
    #[error("OpenAI refuses this to the key ({request_id})")]
    Forbidden { request_id: RequestId },
    /// The file, store or batch is not there, or is another project's. A file that was made within the last minute may
    /// be answered so, too.
    #[error("OpenAI does not know it ({request_id})")]
    NotFound { request_id: RequestId },
    /// The server has no such call, batches for instance, or the base URL leads elsewhere. It says nothing about what
    /// was asked for.
    #[error("the server does not offer this call ({request_id})")]
    Unsupported { request_id: RequestId },
    /// Too many calls: later. Nothing was done.
    #[error("OpenAI limits the rate of calls ({request_id})")]
    RateLimited { retry_after: Option<Duration>, request_id: RequestId },
    /// The account has run out of credit or of what it allowed itself. Waiting does not help.
    #[error("the OpenAI account is out of quota: {code} ({request_id})")]
    QuotaExhausted { code: String, request_id: RequestId },
    /// The vendor is in trouble, took too long or found the object busy: later.
    #[error("OpenAI answers {status} ({request_id})")]
    Unavailable { status: u16, retry_after: Option<Duration>, request_id: RequestId },
    /// A batch of at most `max` files would be accepted.
    #[error("the batch may hold {max} files ({request_id})")]
    BatchTooLong { max: usize, request_id: RequestId },
    /// The call itself is wrong, and repeating it changes nothing.
    #[error("OpenAI refuses the call with {status}: {message} ({request_id})")]
    Rejected { status: u16, code: Option<String>, message: String, request_id: RequestId },
    /// The answer breaks the vendor's own rules: nothing may be concluded from it, not even that nothing was done.
    #[error("OpenAI's answer makes no sense: {what} ({request_id})")]
    Malformed { what: String, request_id: RequestId },
    #[error("no answer from OpenAI")]
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

    /// Whether the request may have been carried out all the same: a file may exist, a batch may run, and the caller
    /// looks before it tries again.
    #[must_use]
    pub fn effect_unknown(&self) -> bool {
        match self {
            Self::Malformed { .. } | Self::Transport(Lost::AnswerLost(_) | Lost::TooLarge { .. }) => true,
            // "Conflict" is the vendor's word for an object that is busy: it did nothing.
            Self::Unavailable { status, .. } => *status != 409,
            _ => false,
        }
    }

    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
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

    /// Sorts an answer that is not a success. Compatible servers know fewer codes, so the message counts, too.
    pub(super) fn from_answer(answer: &Answer) -> Self {
        let request_id = answer.request_id.clone();
        let status = answer.status.as_u16();
        let Words { code, kind, message } = Words::of(&answer.body);
        let quota = [&code, &kind].into_iter().flatten().find(|word| QUOTA_CODES.contains(&word.as_str()));
        if let (400..=499, Some(word)) = (status, quota) {
            return Self::QuotaExhausted { code: word.clone(), request_id };
        }
        match status {
            401 => Self::Unauthorized { request_id },
            403 => Self::Forbidden { request_id },
            405 | 501 => Self::Unsupported { request_id },
            404 if says_no_such_call(&message) => Self::Unsupported { request_id },
            404 => Self::NotFound { request_id },
            429 => Self::RateLimited { retry_after: answer.retry_after(), request_id },
            408 | 409 | 500.. => Self::Unavailable { status, retry_after: answer.retry_after(), request_id },
            400 if says_not_found(&message) => Self::NotFound { request_id },
            400 if let Some(max) = longest_array(&message) => Self::BatchTooLong { max, request_id },
            _ => Self::Rejected { status, code: code.or(kind), message, request_id },
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

/// "Vector store vs_… not found", "No file found with id …", "No such File object: …".
fn says_not_found(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let none =
        message.starts_with("no ") && (message.contains(" found with id") || message.starts_with("no such "));
    none || message.contains("not found")
}

/// "Invalid URL (POST /v1/…)" at OpenAI, the bare words elsewhere.
fn says_no_such_call(message: &str) -> bool {
    message.starts_with("Invalid URL") || message == "Not Found"
}

/// "… array too long. Expected an array with maximum length 100, but got …".
fn longest_array(message: &str) -> Option<usize> {
    let (_, after) = message.split_once("array too long")?;
    let (_, after) = after.split_once("maximum length ")?;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok().filter(|max| *max > 0)
}

/// What an error body says. All of it is optional at one server or another.
struct Words {
    code: Option<String>,
    kind: Option<String>,
    message: String,
}

impl Words {
    fn of(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = if body["error"].is_null() { &body } else { &body["error"] };
        let text = |value: &Value| value.as_str().map(short).filter(|text| !text.is_empty());
        let message = text(&error["message"]).or_else(|| text(&error["detail"])).or_else(|| text(error));
        Self {
            code: text(&error["code"]),
            kind: text(&error["type"]),
            message: message.unwrap_or_else(|| "no reason given".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn sort(status: u16, body: &str) -> Error {
        Error::from_answer(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            request_id: RequestId::default(),
        })
    }

    #[test]
    fn the_two_families_of_429_are_told_apart() {
        for code in QUOTA_CODES {
            let by_code = sort(
                429,
                &format!(r#"{{"error":{{"message":"m","type":"t","param":null,"code":"{code}"}}}}"#),
            );
            let by_type = sort(429, &format!(r#"{{"error":{{"message":"m","type":"{code}","code":null}}}}"#));
            assert!(matches!(by_code, Error::QuotaExhausted { .. }) && !by_code.is_transient());
            assert!(matches!(by_type, Error::QuotaExhausted { .. }));
        }
        for code in ["rate_limit_exceeded", "slow_down", "anything"] {
            let limited = sort(429, &format!(r#"{{"error":{{"message":"m","code":"{code}"}}}}"#));
            assert!(matches!(limited, Error::RateLimited { .. }) && limited.is_transient());
        }
    }

    #[test]
    fn not_found_may_be_a_400() {
        assert!(sort(404, "").is_not_found());
        assert!(sort(400, r#"{"error":{"message":"Vector_store vs_1 not found"}}"#).is_not_found());
        assert!(
            sort(400, r#"{"error":{"message":"No file found with id 'file-1' in vector store 'vs_1'."}}"#)
                .is_not_found()
        );
        assert!(sort(400, r#"{"detail":"file not found"}"#).is_not_found());
        assert!(sort(400, r#"{"error":{"message":"No such File object: file-1"}}"#).is_not_found());
        assert!(!sort(400, r#"{"error":{"message":"File is empty."}}"#).is_not_found());
    }

    #[test]
    fn a_call_that_is_not_offered_is_not_an_object_that_is_missing() {
        let openai =
            r#"{"error":{"message":"Invalid URL (POST /v1/vector_stores/vs_1/file_batches)","code":null}}"#;
        for (status, body) in [(404, openai), (404, r#"{"detail":"Not Found"}"#), (405, ""), (501, "")] {
            let error = sort(status, body);
            assert!(matches!(error, Error::Unsupported { .. }) && !error.effect_unknown(), "{status} {body}");
        }
    }

    #[test]
    fn a_too_long_batch_tells_the_right_length() {
        let message = "Invalid 'file_ids': array too long. Expected an array with maximum length 100, but got an array with length 500 instead.";
        let Error::BatchTooLong { max: 100, .. } =
            sort(400, &format!(r#"{{"error":{{"message":"{message}"}}}}"#))
        else {
            panic!()
        };
        assert_eq!(longest_array("array too long. Expected an array with maximum length 0"), None);
        assert_eq!(longest_array("string too long. Expected maximum length 5"), None);
    }

    #[test]
    fn what_a_failure_says_about_the_effect() {
        for status in [408, 500, 502, 503, 504] {
            assert!(sort(status, "<html>").effect_unknown(), "{status}");
        }
        for status in [400, 401, 403, 404, 409, 413, 429] {
            assert!(!sort(status, "").effect_unknown(), "{status}");
        }
    }

    #[test]
    fn an_error_without_most_of_its_fields_is_understood() {
        for body in [
            r#"{"error":"no"}"#,
            r#"{"error":{"message":"no"}}"#,
            r#"{"message":"no"}"#,
            r#"{"detail":"no"}"#,
        ] {
            let Error::Rejected { message, .. } = sort(422, body) else { panic!() };
            assert_eq!(message, "no", "{body}");
        }
        let Error::Rejected { message, .. } = sort(422, "[]") else { panic!() };
        assert_eq!(message, "no reason given");
    }
}
