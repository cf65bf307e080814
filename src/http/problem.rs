//! The one error of the HTTP edge: what went wrong, told to the caller as RFC 9457 `application/problem+json`.
//!
//! Two messages: `detail` is for the caller; a cause ([`Problem::because`]) is for the log and never leaves.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use sea_orm::DbErr;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use super::kind::Kind;

/// The media type of every error.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// What clients put in front of [`ProblemDetails::code`] to get [`ProblemDetails::type`](ProblemDetails).
const TYPE_PREFIX: &str = "urn:tidegate:problem:";
/// How long a client should wait when nothing better is known.
const RETRY_SOON: Duration = Duration::from_secs(5);

/// One thing that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where in the body: a JSON pointer; empty is the whole body. Absent for parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("/selections/3/id"))]
    pub pointer: Option<String>,
    /// Which query parameter or header. Absent for the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("limit"))]
    pub parameter: Option<String>,
    /// A stable word for programs: `required`, `unknown_field`, `invalid`, `too_long`, `not_found`, ….
    #[schema(examples("not_found"))]
    pub code: Cow<'static, str>,
    /// A sentence for people.
    #[schema(examples("The page does not exist or is not visible to this connection."))]
    pub message: String,
}

impl FieldError {
    /// Something is wrong with the body at `pointer`.
    pub fn at(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, code: code.into(), message: message.into() }
    }

    /// Something is wrong with a query parameter or a header.
    pub fn parameter(name: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), code: code.into(), message: message.into() }
    }
}

/// What went wrong (RFC 9457). Match on `code`; read `detail`; quote `request_id` when you ask for help.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// `urn:tidegate:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(examples("urn:tidegate:problem:not_found"))]
    pub type_: String,
    /// The kind of problem in a few words.
    #[schema(examples("There is no such thing here"))]
    pub title: Cow<'static, str>,
    /// The HTTP status, again.
    #[schema(examples(404), minimum = 400, maximum = 599)]
    pub status: u16,
    /// This very problem in a sentence.
    #[schema(examples("There is no such source."))]
    pub detail: String,
    /// The kind of problem as a stable word for programs.
    #[schema(examples("not_found"))]
    pub code: Cow<'static, str>,
    /// What is wrong with the input, if the input is what is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// The request, as in the header `X-Request-Id` and in the service's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("019ab2c4d5e67f8091a2b3c4d5e6f708"))]
    pub request_id: Option<String>,
    /// What else the kind of problem tells, such as the id of what is in the way.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// An answer that is not what the caller hoped for. Handlers return it as their `Err`.
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    extra: Box<Extra>,
}

#[derive(Default)]
struct Extra {
    more: Map<String, Value>,
    headers: Vec<(HeaderName, String)>,
    retry_after: Option<Duration>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    /// A problem of `kind`; `detail` is a sentence for the caller and must not hold secrets.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), extra: Box::default() }
    }

    /// 404: `thing` ("source", "API key") does not exist, or belongs to another workspace.
    #[must_use]
    pub fn not_found(thing: &str) -> Self {
        Self::new(Kind::NotFound, format!("There is no such {thing}."))
    }

    /// 422: one thing is wrong with the body.
    pub fn invalid(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::at(pointer, code, message)])
    }

    /// 422: these things are wrong with the input.
    #[must_use]
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [only] => Cow::Owned(only.message.clone()),
            _ => "Several fields are not valid; `errors` names each.".into(),
        };
        Self { errors, ..Self::new(Kind::ValidationFailed, detail) }
    }

    /// 503: `vendor` ("Confluence", "OpenAI") does not answer.
    #[must_use]
    pub fn vendor_unavailable(vendor: &str, retry_after: Option<Duration>) -> Self {
        Self::new(Kind::VendorUnavailable, format!("{vendor} does not answer just now; try again later."))
            .retry_after(retry_after.unwrap_or(RETRY_SOON))
    }

    /// 500: a fixed sentence for the caller, `cause` for the log.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(
            Kind::Internal,
            "The service failed to answer. The failure is in its log under this request_id.",
        )
        .because(cause)
    }

    /// Adds a member to the answer, such as the id of what is in the way.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.extra.headers.push((name, value.into()));
        self
    }

    /// Names what is wrong with the input.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Tells the caller when to try again.
    #[must_use]
    pub fn retry_after(mut self, pause: Duration) -> Self {
        self.extra.retry_after = Some(pause);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.extra.cause = Some(cause.into());
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong with the input.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The cause and the causes behind it, for the log.
    #[must_use]
    pub fn causes(&self) -> Option<String> {
        let mut next: Option<&dyn StdError> = Some(self.extra.cause.as_deref()?);
        let mut text = String::new();
        while let Some(error) = next {
            let sentence = error.to_string();
            // Some libraries repeat the cause in their own text.
            if !text.contains(&sentence) {
                text.push_str(if text.is_empty() { "" } else { ": " });
                text.push_str(&sentence);
            }
            next = error.source();
        }
        Some(text)
    }

    /// The answer, naming the request if it is known.
    #[must_use]
    pub fn render(&self, request_id: Option<&str>) -> HttpResponse {
        let (status, code, title) = self.kind.parts();
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        for (name, value) in &self.extra.headers {
            response.insert_header((name.clone(), value.as_str()));
        }
        let waits = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if let Some(pause) = self.extra.retry_after.or(waits.then_some(RETRY_SOON)) {
            // Rounded up: a client that comes early is sent away again.
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, seconds.max(1)));
        }
        response.content_type(CONTENT_TYPE).json(ProblemDetails {
            type_: format!("{TYPE_PREFIX}{code}"),
            title: title.into(),
            status: status.as_u16(),
            detail: self.detail.clone().into_owned(),
            code: code.into(),
            errors: self.errors.clone(),
            request_id: request_id.map(str::to_owned),
            more: self.extra.more.clone(),
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.parts().1, self.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.causes().map_or(Ok(()), |causes| write!(f, " ({causes})"))
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        self.render(None)
    }
}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => {
                Self::new(Kind::Unavailable, "The database does not answer just now; try again soon.")
                    .because(error)
            }
            error => Self::internal(error),
        }
    }
}
