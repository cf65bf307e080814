//! Errors as Confluence and its gateway write them.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use super::model::Quota;
use crate::clock::{Millis, rfc3339};

/// An error answer, ready to send.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.body)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for (name, value) in &self.headers {
            response.insert_header((*name, value.as_str()));
        }
        response.json(&self.body)
    }
}

impl Refusal {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// An error of the v2 API.
    #[must_use]
    pub fn v2(status: StatusCode, code: &str, title: &str) -> Self {
        let error = json!({"status": status.as_u16(), "code": code, "title": title, "detail": null});
        Self::new(status, json!({"errors": [error]}))
    }

    /// v2's answer to a parameter it does not take.
    #[must_use]
    pub fn parameter(title: impl AsRef<str>) -> Self {
        Self::v2(StatusCode::BAD_REQUEST, "INVALID_REQUEST_PARAMETER", title.as_ref())
    }

    /// v2's answer for what is not there, or not for this account.
    #[must_use]
    pub fn not_found() -> Self {
        Self::v2(StatusCode::NOT_FOUND, "NOT_FOUND", "Not Found")
    }

    /// An error of the v1 API.
    #[must_use]
    pub fn v1(status: StatusCode, message: &str) -> Self {
        let data = json!({"authorized": false, "valid": false, "errors": [], "successful": false});
        Self::new(status, json!({"statusCode": status.as_u16(), "data": data, "message": message}))
    }

    /// An error of the gateway or of the sign-in in front of a site.
    #[must_use]
    pub fn gateway(status: StatusCode, message: &str) -> Self {
        Self::new(status, json!({"code": status.as_u16(), "message": message}))
    }

    /// 429: the app's points of this hour are used up.
    #[must_use]
    pub fn quota(quota: Quota, now: Millis) -> Self {
        let seconds = (quota.resets_at - now).div_euclid(1_000).max(1).to_string();
        let message = "Rate limit exceeded";
        let mut refusal = Self::gateway(StatusCode::TOO_MANY_REQUESTS, message);
        refusal.headers.push(("retry-after", seconds));
        refusal.headers.push(("ratelimit-reason", "confluence-quota-global-based".to_owned()));
        refusal
    }
}

/// The headers that tell how much of the quota is left.
#[must_use]
pub fn quota_headers(quota: Quota, now: Millis) -> Vec<(&'static str, String)> {
    let left = quota.limit.saturating_sub(quota.used);
    let seconds = (quota.resets_at - now).div_euclid(1_000).max(1);
    let mut headers = vec![
        ("x-ratelimit-limit", quota.limit.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-reset", format!("{}Z", &rfc3339(quota.resets_at)[..16])),
        ("ratelimit-policy", format!("\"global-app-quota\";q={};w=3600", quota.limit)),
    ];
    if left * 5 < quota.limit {
        headers.push(("x-ratelimit-nearlimit", "true".to_owned()));
        headers.push(("ratelimit", format!("\"global-app-quota\";r={left};t={seconds}")));
    }
    headers
}
