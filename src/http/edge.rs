//! Around every request: an id, a span, a line in the log, and a problem for whatever went wrong.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
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
use crate::app::App;

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
        Ok(Err(error)) => {
            let foreign = foreign(error.as_response_error().status_code(), Some(&error));
            Err(routeless(error.as_error::<Problem>().unwrap_or(&foreign), id))
        }
        Err(panic) => {
            let cause = format!("a handler panicked: {}", panic_message(panic.as_ref()));
            Err(routeless(&Problem::internal(cause), id))
        }
    }
}

fn as_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    id: Option<&str>,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let error = response.response().error();
    let own = error.and_then(Error::as_error::<Problem>);
    if own.is_none() && (!is_failure(status) || is_problem(response.headers())) {
        return response.map_into_left_body();
    }
    let foreign = foreign(status, error);
    let problem = own.unwrap_or(&foreign);
    log(problem);
    let rendered = problem.render(id);
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
        return Problem::internal(
            error.map_or_else(|| "an error without a cause".to_owned(), Error::to_string),
        );
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

/// A failure whose request is gone, as after a panic: actix sends it without going through the outer layers again.
fn routeless(problem: &Problem, id: Option<&str>) -> Error {
    log(problem);
    let mut response = problem.render(id);
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    InternalError::from_response(problem.to_string(), response).into()
}

/// Who calls: the peer, or whom a trusted proxy says it speaks for.
fn client_address(request: &ServiceRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let settings = &request.app_data::<web::Data<App>>()?.settings;
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
