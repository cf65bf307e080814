//! Errors as OpenAI writes them.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

/// An error answer: `{"error": {"message", "type", "param", "code"}}`.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
    pub kind: &'static str,
    pub param: Option<String>,
    pub code: Option<&'static str>,
    pub retry_after: Option<u64>,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header(("retry-after", seconds.to_string()));
        }
        response.json(body(&self.message, self.kind, self.param.as_deref(), self.code))
    }
}

/// The error body.
#[must_use]
pub fn body(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> serde_json::Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

impl ApiError {
    /// 400 `invalid_request_error`.
    #[must_use]
    pub fn invalid(message: impl Into<String>, param: Option<&str>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
            kind: "invalid_request_error",
            param: param.map(ToOwned::to_owned),
            code: None,
            retry_after: None,
        }
    }

    /// 404 `invalid_request_error`.
    #[must_use]
    pub fn missing(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(message, None) }
    }

    /// 401 for a key that is unknown or dead.
    #[must_use]
    pub fn bad_key(key: &str) -> Self {
        let shown: String = key.chars().take(6).collect();
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: Some("invalid_api_key"),
            ..Self::invalid(format!("Incorrect API key provided: {shown}***."), None)
        }
    }

    /// 429 that passes.
    #[must_use]
    pub fn rate_limited(what: &str, retry_after: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: "requests",
            code: Some("rate_limit_exceeded"),
            retry_after: Some(retry_after),
            ..Self::invalid(
                format!("Rate limit reached for {what}. Please try again in {retry_after}s."),
                None,
            )
        }
    }

    /// 429 that does not pass until somebody pays.
    #[must_use]
    pub fn out_of_quota() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: "insufficient_quota",
            code: Some("insufficient_quota"),
            ..Self::invalid(
                "You exceeded your current quota, please check your plan and billing details.",
                None,
            )
        }
    }
}
