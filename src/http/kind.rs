//! The kinds of problems: the one place that gives each its status, its public code and its title.

use actix_web::http::StatusCode;
use strum::{EnumIter, IntoEnumIterator};

/// Every kind of problem that the API knows. Its code is public: clients match on it, so a name is never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter)]
pub enum Kind {
    BadRequest,
    MalformedJson,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    AlreadyExists,
    SourceExists,
    InUse,
    NotConfigured,
    OpenaiNotConfigured,
    OpenaiQuotaExhausted,
    OauthNotConfigured,
    OauthMisconfigured,
    NeedsReconnect,
    NothingToConfirm,
    ChooseSites,
    SitesInUse,
    SiteNotAvailable,
    Blocked,
    Paused,
    Deleting,
    PlanStale,
    RemovalsNeedConfirmation,
    RequestInProgress,
    IdempotencyKeyReused,
    PreconditionFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    StoreNotAvailable,
    OpenaiKeyRejected,
    TooManyRequests,
    Internal,
    VendorUnavailable,
    Unavailable,
}

impl Kind {
    /// The status, the public code and the title.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one entry a kind")]
    pub const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => (S::BAD_REQUEST, "bad_request", "The request cannot be understood"),
            Self::MalformedJson => (S::BAD_REQUEST, "malformed_json", "The body is not JSON"),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "A valid API key is needed"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "The API key may not do this"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "There is no such thing here"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take the method")
            }
            Self::RequestTimeout => {
                (S::REQUEST_TIMEOUT, "request_timeout", "The request took too long to arrive")
            }
            Self::Conflict => (S::CONFLICT, "conflict", "The state of the resource forbids this"),
            Self::AlreadyExists => (S::CONFLICT, "already_exists", "There is one already"),
            Self::SourceExists => {
                (S::CONFLICT, "source_exists", "This site already feeds this knowledge base")
            }
            Self::InUse => (S::CONFLICT, "in_use", "The resource is still in use"),
            Self::NotConfigured => {
                (S::CONFLICT, "not_configured", "This installation is not set up for that")
            }
            Self::OpenaiNotConfigured => {
                (S::CONFLICT, "openai_not_configured", "There is no OpenAI key to use")
            }
            Self::OpenaiQuotaExhausted => {
                (S::CONFLICT, "openai_quota_exhausted", "The OpenAI account is at its limit")
            }
            Self::OauthNotConfigured => {
                (S::CONFLICT, "oauth_not_configured", "This installation has no OAuth app")
            }
            Self::OauthMisconfigured => {
                (S::CONFLICT, "oauth_misconfigured", "This installation's OAuth app needs its operator")
            }
            Self::NothingToConfirm => (S::CONFLICT, "nothing_to_confirm", "Nothing waits for a confirmation"),
            Self::ChooseSites => (S::CONFLICT, "choose_sites", "The sites must be chosen"),
            Self::SitesInUse => (S::CONFLICT, "sites_in_use", "Sites that sources use are not covered"),
            Self::SiteNotAvailable => {
                (S::CONFLICT, "site_not_available", "The connection does not reach the site")
            }
            Self::NeedsReconnect => {
                (S::CONFLICT, "needs_reconnect", "The connection must be authorized again")
            }
            Self::Blocked => (S::CONFLICT, "blocked", "The resource is blocked by a problem"),
            Self::Paused => (S::CONFLICT, "paused", "The source is paused"),
            Self::Deleting => (S::CONFLICT, "deleting", "The resource is being deleted"),
            Self::PlanStale => (S::CONFLICT, "plan_stale", "The plan cannot be applied any more"),
            Self::RemovalsNeedConfirmation => {
                (S::CONFLICT, "removals_need_confirmation", "Many documents would be removed")
            }
            Self::RequestInProgress => {
                (S::CONFLICT, "request_in_progress", "The same request is still being answered")
            }
            Self::IdempotencyKeyReused => {
                (S::CONFLICT, "idempotency_key_reused", "The idempotency key belongs to another request")
            }
            Self::PreconditionFailed => {
                (S::PRECONDITION_FAILED, "precondition_failed", "The resource has changed meanwhile")
            }
            Self::PayloadTooLarge => (S::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be JSON")
            }
            Self::ValidationFailed => {
                (S::UNPROCESSABLE_ENTITY, "validation_failed", "Some of the input is not valid")
            }
            Self::StoreNotAvailable => {
                (S::UNPROCESSABLE_ENTITY, "store_not_available", "The vector store cannot be used")
            }
            Self::OpenaiKeyRejected => {
                (S::UNPROCESSABLE_ENTITY, "openai_key_rejected", "OpenAI does not accept the key")
            }
            Self::TooManyRequests => (S::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
            Self::VendorUnavailable => {
                (S::SERVICE_UNAVAILABLE, "vendor_unavailable", "A service that is needed does not answer")
            }
            Self::Unavailable => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "The service cannot answer just now")
            }
        }
    }

    /// The kind with a public code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::iter().find(|kind| kind.parts().1 == code)
    }

    /// The kind that stands for an error of a library that only has a status.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            409 => Self::Conflict,
            412 => Self::PreconditionFailed,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            422 => Self::ValidationFailed,
            429 => Self::TooManyRequests,
            503 => Self::Unavailable,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}
