//! What every call to a vendor passes: latency, faults, points, the model's date and the ledger.

use std::io;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, SizedStream, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::{StreamExt, stream};

use crate::calls::{Call, Cost, Vendor};
use crate::clock::http_date;
use crate::confluence::{page_of, public_path, quota_headers};
use crate::faults::{Action, Arriving, ListingFault};
use crate::openai::{ApiError, error_body};
use crate::random;
use crate::shared::Shared;

pub const AUTH_BASE: &str = "/atlassian/auth";
pub const API_BASE: &str = "/atlassian/api";
pub const OPENAI_BASE: &str = "/openai/v1";

/// Whose call this is, and its path as the vendor documents it.
fn vendor_of(path: &str) -> Option<(Vendor, &str)> {
    if let Some(path) = path.strip_prefix("/openai") {
        return Some((Vendor::OpenAi, path));
    }
    if path.starts_with("/sites/") || path.starts_with("/atlassian/api/ex/confluence/") {
        let calls_api = path.contains("/wiki/api/") || path.contains("/wiki/rest/");
        return calls_api.then(|| (Vendor::Confluence, public_path(path)));
    }
    let path = path.strip_prefix(AUTH_BASE).or_else(|| path.strip_prefix(API_BASE))?;
    Some((Vendor::Atlassian, path))
}

/// The middleware around all routes.
pub async fn pass(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some((vendor, path)) = vendor_of(request.path()).map(|(vendor, path)| (vendor, path.to_owned()))
    else {
        return next.call(request).await;
    };
    let shared = Shared::of(request.request());
    let began = Instant::now();
    shared.ledger.begin(vendor);
    let route = request.match_pattern();
    let route = route.as_deref().and_then(vendor_of).map_or(path.clone(), |(_, route)| route.to_owned());
    let operation = format!("{} {route}", request.method());
    let actions = shared.switches.hit(&Arriving {
        vendor,
        method: request.method().as_str(),
        path: &path,
        route: &route,
        query: request.query_string(),
        page: page_of(request.query_string()),
    });
    let mut call = Call::new(vendor, operation, path, request.query_string(), shared.clock.now());
    call.faults = actions.iter().map(Action::name).collect();
    let latency = shared.latency();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let result = handle(&shared, vendor, &actions, request, next).await;
    call.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let cost = match &result {
        Ok((response, _)) => response.request().extensions().get::<Cost>().cloned().unwrap_or_default(),
        Err(_) => Cost::default(),
    };
    (call.points, call.results) = (cost.points, cost.results);
    call.status = match &result {
        Ok((response, Sent::Answer)) => response.status().as_u16(),
        Ok((_, Sent::Nothing)) | Err(_) => 0,
    };
    shared.ledger.end(call, &cost);
    result.map(|(response, _)| stamp(&shared, vendor, response, &cost))
}

/// Whether a call is answered, or its connection dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Answer,
    Nothing,
}

type Handled = Result<(ServiceResponse<BoxBody>, Sent), Error>;

async fn handle(
    shared: &Shared,
    vendor: Vendor,
    actions: &[Action],
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Handled {
    for action in actions {
        match action {
            Action::Latency { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            }
            Action::Hold(gate) => gate.pass().await,
            Action::Run(hook) => hook.run(),
            Action::ExpireTokens => shared.confluence().grants.expire_access_tokens(shared.clock.now()),
            Action::RevokeGrants => shared.confluence().grants.revoke(None),
            Action::LoseSite { site } => shared.confluence().grants.lose_site(site),
            Action::NextLoop => note(&request, ListingFault::NextLoop),
            Action::NextWithoutCursor => note(&request, ListingFault::NextWithoutCursor),
            Action::ForeignNext { host } => note(&request, ListingFault::ForeignNext(host.clone())),
            Action::Respond { status, headers, body } => {
                drain(&mut request).await;
                let answer = canned(vendor, *status, headers, body);
                return Ok((request.into_response(answer), Sent::Answer));
            }
            Action::DropBefore => {
                drain(&mut request).await;
                return Ok((request.into_response(nothing()), Sent::Nothing));
            }
            Action::RespondAfter { .. }
            | Action::DropAfter
            | Action::HoldAnswer(_)
            | Action::Truncate { .. }
            | Action::CloseAfter
            | Action::Malformed => {}
        }
    }
    distort(vendor, actions, next.call(request).await?).await
}

/// What faults do to a true answer.
async fn distort(vendor: Vendor, actions: &[Action], mut response: ServiceResponse<BoxBody>) -> Handled {
    for action in actions {
        match action {
            Action::RespondAfter { status, headers, body } => {
                let answer = canned(vendor, *status, headers, body);
                response = response.into_response(answer);
            }
            Action::HoldAnswer(gate) => gate.pass().await,
            Action::DropAfter => return Ok((response.into_response(nothing()), Sent::Nothing)),
            Action::Truncate { bytes } => return Ok((cut(response, Some(*bytes)).await?, Sent::Answer)),
            Action::CloseAfter => return Ok((cut(response, None).await?, Sent::Answer)),
            Action::Malformed => response = malformed(response).await?,
            _ => {}
        }
    }
    Ok((response, Sent::Answer))
}

fn note(request: &ServiceRequest, fault: ListingFault) {
    request.extensions_mut().insert(fault);
}

/// Reads the body to its end, so that the client has sent all before it is answered.
async fn drain(request: &mut ServiceRequest) {
    let mut payload = request.take_payload();
    while let Some(Ok(_)) = payload.next().await {}
}

/// An answer that a fault wrote; without a body it gets the vendor's error shape.
fn canned(vendor: Vendor, status: u16, headers: &[(String, String)], body: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    if !body.is_empty() {
        let json = body.starts_with(['{', '[']);
        return response
            .content_type(if json { "application/json" } else { "text/html" })
            .body(body.to_owned());
    }
    let reason = status.canonical_reason().unwrap_or("Error");
    response.json(match vendor {
        Vendor::OpenAi => openai_error(status, reason),
        Vendor::Atlassian => serde_json::json!({"code": status.as_u16(), "message": reason}),
        Vendor::Confluence => {
            let error = serde_json::json!({"status": status.as_u16(), "code": reason, "title": reason, "detail": null});
            serde_json::json!({"errors": [error]})
        }
    })
}

fn openai_error(status: StatusCode, reason: &str) -> serde_json::Value {
    let (kind, code) = match status.as_u16() {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        429 => ("requests", Some("rate_limit_exceeded")),
        503 => ("server_error", Some("server_is_overloaded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    error_body(reason, kind, None, code)
}

/// A body that fails at once takes the unsent head with it: the client gets not even a status.
fn nothing() -> HttpResponse {
    let failure =
        stream::once(async { Err::<web::Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted)) });
    HttpResponse::Ok().body(SizedStream::new(1, failure))
}

/// Sends so many bytes of an answer, or all, and closes the connection. A body that waits before it fails has what was
/// written before flushed.
async fn cut(
    response: ServiceResponse<BoxBody>,
    bytes: Option<usize>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let whole = whole_body(body).await?;
    let sent = bytes.map_or(whole.len(), |bytes| bytes.min(whole.len().saturating_sub(1)));
    let first = (sent > 0).then(|| Ok(whole.slice(..sent)));
    let failure = stream::once(async move {
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    let body = SizedStream::new(whole.len() as u64, stream::iter(first).chain(failure));
    Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(body))))
}

async fn malformed(response: ServiceResponse<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let whole = whole_body(body).await?;
    let half = whole.slice(..whole.len() / 2);
    Ok(ServiceResponse::new(request, head.set_body(BoxBody::new(half))))
}

async fn whole_body(body: BoxBody) -> Result<web::Bytes, Error> {
    to_bytes(body).await.map_err(actix_web::error::ErrorInternalServerError)
}

/// Puts the vendor's own headers on an answer, and charges the app.
fn stamp(
    shared: &Shared,
    vendor: Vendor,
    mut response: ServiceResponse<BoxBody>,
    cost: &Cost,
) -> ServiceResponse<BoxBody> {
    let now = shared.clock.now();
    if vendor == Vendor::OpenAi && shared.openai().habits.not_found_as_400 {
        response = not_found_as_400(response);
    }
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    };
    set("date", &http_date(now));
    match vendor {
        Vendor::OpenAi => set("x-request-id", &format!("req_{}", random::text(32).to_lowercase())),
        Vendor::Atlassian | Vendor::Confluence => set("atl-traceid", &random::text(32).to_lowercase()),
    }
    if vendor == Vendor::Confluence {
        set("cache-control", "no-cache, no-store, no-transform");
        if let Some(app) = cost.app.as_deref() {
            let quota = shared.confluence().charge(app, cost.points, now);
            for (name, value) in quota.into_iter().flat_map(|quota| quota_headers(quota, now)) {
                set(name, &value);
            }
        }
    }
    response
}

/// A store or store file that is not there, as servers say it that are not OpenAI: 400 with only a message.
fn not_found_as_400(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let about_stores = response.request().path().contains("/vector_stores/");
    let error = response.response().error().and_then(|error| error.as_error::<ApiError>());
    let Some(error) = error.filter(|error| about_stores && error.status == StatusCode::NOT_FOUND) else {
        return response;
    };
    let message = match error.message.strip_prefix("No file found with id ") {
        Some(rest) => format!("File {} not found", rest.trim_end_matches('.')),
        None => error.message.clone(),
    };
    let answer = HttpResponse::BadRequest().json(serde_json::json!({"error": {"message": message}}));
    response.into_response(answer)
}
