//! Around every request: an id, a span, a line in the log, and a problem for whatever went wrong.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use futures_util::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::problem::{self, Kind, Problem};
use crate::config::Settings;

/// The header that names a request, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_LENGTH: usize = 128;

/// The id of the request being answered, in its extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    /// The caller's id if it is fit for a log line, else a new one.
    fn of(request: &ServiceRequest) -> Self {
        let fit = |id: &&str| {
            let fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            (1..=REQUEST_ID_LENGTH).contains(&id.len()) && id.bytes().all(fit)
        };
        let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(fit);
        Self(given.map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned))
    }
}

/// The outermost layer: names the request, and writes one line about it when it is answered.
pub async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = RequestId::of(&request);
    let method = request.method().clone();
    let client = client_address(&request).map(tracing::field::display);
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request.id = id.0, http.method = %method);
    let started = Instant::now();
    let mut result = next.call(request).instrument(span.clone()).await;
    let _entered = span.enter();
    let (route, status) = match &result {
        Ok(response) => (response.request().match_pattern(), response.status()),
        Err(error) => (None, error.as_response_error().status_code()),
    };
    // The path itself may hold a token: only its pattern is written down.
    let route = route.as_deref().unwrap_or("unmatched");
    let duration_ms = milliseconds(started.elapsed());
    if route.starts_with("/health/") && status.is_success() {
        tracing::debug!(http.route = route, http.status = status.as_u16(), duration_ms, "answered");
    } else {
        tracing::info!(http.route = route, http.status = status.as_u16(), duration_ms, client, "answered");
    }
    if let (Ok(response), Ok(value)) = (&mut result, HeaderValue::from_str(&id.0)) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    result
}

/// Makes every failure a problem: a handler's own, a library's, an unknown route's, and a panic.
pub async fn problems<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.as_ref().map(|id| id.0.as_str());
    match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(Ok(response)) => Ok(as_problem(response, id)),
        Ok(Err(error)) => Err(Unrouted::of(&error, id).into()),
        Err(panic) => {
            let problem = Problem::internal(format!("a handler panicked: {}", panic_message(panic.as_ref())));
            log(&problem);
            Err(Unrouted { problem, id: id.map(str::to_owned) }.into())
        }
    }
}

fn as_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    id: Option<&str>,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let error = response.response().error();
    let rendered = match error.and_then(Error::as_error::<Problem>) {
        Some(problem) => {
            log(problem);
            problem.render(id)
        }
        None if is_failure(status) && !is_problem(response.headers()) => foreign(status, error).render(id),
        None => return response.map_into_left_body(),
    };
    // What other layers have added, such as the CORS headers, stays.
    let (request, response) = response.into_parts();
    let mut rendered = rendered.map_into_right_body();
    for (name, value) in response.headers() {
        if !rendered.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, rendered)
}

fn is_failure(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is_problem(headers: &header::HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value == problem::CONTENT_TYPE)
}

/// The problem for an answer that a library made.
fn foreign(status: StatusCode, error: Option<&Error>) -> Problem {
    let kind = Kind::of_status(status);
    if kind == Kind::Internal {
        let problem =
            Problem::internal(error.map_or_else(|| "an error without a cause".to_owned(), Error::to_string));
        log(&problem);
        return problem;
    }
    Problem::new(kind, format!("{}.", kind.parts().2))
}

/// Writes the cause of a problem to the log: here and nowhere else.
fn log(problem: &Problem) {
    match (problem.causes(), problem.kind()) {
        (Some(error), Kind::Internal) => tracing::error!(error, "a request failed"),
        (Some(error), _) => tracing::warn!(error, "a request could not be served: {problem}"),
        (None, _) => {}
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// A failure whose request is gone, as after a panic; actix renders it without going through the layers again.
#[derive(Debug)]
struct Unrouted {
    problem: Problem,
    id: Option<String>,
}

impl Unrouted {
    fn of(error: &Error, id: Option<&str>) -> Self {
        let status = error.as_response_error().status_code();
        Self { problem: foreign(status, Some(error)), id: id.map(str::to_owned) }
    }
}

impl std::fmt::Display for Unrouted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.problem.fmt(f)
    }
}

impl actix_web::ResponseError for Unrouted {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem.render(self.id.as_deref());
        if let Some(value) = self.id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

/// Who calls: the peer, or whom a trusted proxy says it speaks for.
fn client_address(request: &ServiceRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let settings = request.app_data::<web::Data<Settings>>()?;
    if !settings.trusts_proxy(peer) {
        return Some(peer);
    }
    let forwarded = request.headers().get_all(header::HeaderName::from_static("x-forwarded-for"));
    let hops: Vec<&str> =
        forwarded.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).collect();
    // From the nearest hop outwards, the first that is not one of ours.
    let client = hops.iter().rev().map_while(|hop| hop.trim().parse::<IpAddr>().ok());
    client.into_iter().find(|address| !settings.trusts_proxy(*address)).or(Some(peer))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
