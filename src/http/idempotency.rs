//! `Idempotency-Key`: a POST that is sent twice creates once, and both get the same answer.
//!
//! * The same key and request within 24 hours get the first answer again, with `Idempotency-Replayed: true`.
//! * The same key with another request is a conflict, and so is a request that is still being answered.
//! * Only successes are kept: a refused request may be corrected and sent again under its key.
//! * Kept answers are sealed: they may hold a secret that is shown once.

use std::time::Duration;

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody, to_bytes},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
    middleware::Next,
    web::{self, Bytes},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::Type,
    },
};

use super::{
    FieldError, Kind, Problem,
    body::unreadable,
    store::{self, Slot, Taken},
};
use crate::{app::App, auth::extract::principal};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_LENGTH: usize = 255;
/// The headers that belong to an answer and not to its transport.
const KEPT_HEADERS: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::CACHE_CONTROL];

/// Documents the header: `params(IdempotencyKey)`.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey;

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "A text of your choice, new for each thing to create. The same request sent again with it \
                           within 24 hours creates nothing and gets the first answer.";
        let schema =
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(KEY_LENGTH));
        vec![
            ParameterBuilder::new()
                .name("Idempotency-Key")
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build(),
        ]
    }
}

/// What is kept of an answer.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The layer around a POST that creates: `wrap = "from_fn(idempotency::once)"`.
pub async fn once<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let (app, slot) = match prepare(&mut request).await {
        Ok(Turn::Pass) => return next.call(request).await.map(ServiceResponse::map_into_left_body),
        Ok(Turn::Replay(answer)) => return Ok(request.into_response(answer).map_into_right_body()),
        Ok(Turn::First(app, slot)) => (app, slot),
        Err(problem) => return Ok(request.error_response(problem).map_into_right_body()),
    };
    match next.call(request).await {
        Ok(response) if response.status().is_success() => keep(&app, &slot, response).await,
        refused => {
            if let Err(error) = store::free(&app.db, &slot).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an idempotency key could not be freed"
                );
            }
            refused.map(ServiceResponse::map_into_left_body)
        }
    }
}

/// What a request gets.
enum Turn {
    /// No key: nothing is kept.
    Pass,
    /// The first with its key: it is answered, and the answer kept.
    First(web::Data<App>, Slot),
    /// The answer of the first.
    Replay(HttpResponse),
}

async fn prepare(request: &mut ServiceRequest) -> Result<Turn, Problem> {
    let Some(key) = request.headers().get(HEADER) else { return Ok(Turn::Pass) };
    let key = valid_key(key)?;
    let app = request.app_data::<web::Data<App>>().cloned();
    let app = app.ok_or_else(|| Problem::internal("no App in the server"))?;
    let caller = principal(request.request())?;
    let route = format!("{} {}", request.method(), request.match_pattern().unwrap_or_default());
    let slot = Slot { workspace_id: caller.workspace_id, principal: caller.owner(), route, key };
    let hash = hash_request(request).await?;
    let row = match store::take(&app.db, &slot, &hash, app.clock.now()).await? {
        Taken::Ours => return Ok(Turn::First(app, slot)),
        Taken::Theirs(row) => row,
    };
    if row.request_sha256 != hash {
        return Err(Problem::new(
            Kind::IdempotencyKeyReused,
            "This Idempotency-Key was used with another request.",
        ));
    }
    let sealed = row.response.ok_or_else(|| {
        Problem::new(Kind::RequestInProgress, "The first request with this key is not answered yet.")
            .retry_after(Duration::from_secs(1))
    })?;
    replay(&app, &slot, &sealed).map(Turn::Replay)
}

fn valid_key(value: &header::HeaderValue) -> Result<String, Problem> {
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > KEY_LENGTH {
        let message = format!("`Idempotency-Key` must have 1 to {KEY_LENGTH} visible ASCII characters.");
        return Err(Problem::invalid_fields(vec![FieldError::parameter(
            "Idempotency-Key",
            "invalid",
            message,
        )]));
    }
    Ok(key.to_owned())
}

/// The hash of path, query and body; the body is put back for the handler.
async fn hash_request(request: &mut ServiceRequest) -> Result<Vec<u8>, Problem> {
    let body = request.extract::<Bytes>().await.map_err(|error| unreadable(&error))?;
    let mut hash = Sha256::new();
    for part in [request.path().as_bytes(), request.query_string().as_bytes(), &body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    request.set_payload(Payload::Stream { payload: Box::pin(stream::once(std::future::ready(Ok(body)))) });
    Ok(hash.finalize().to_vec())
}

async fn keep<B: MessageBody + 'static>(
    app: &App,
    slot: &Slot,
    response: ServiceResponse<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|error| Problem::internal(error.into().to_string()))?;
    let text = |name: &HeaderName| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let status = response.status().as_u16();
    let headers = KEPT_HEADERS.iter().filter_map(text).collect();
    let answer = Answer { status, headers, body: body.to_vec() };
    let json = serde_json::to_vec(&answer).map_err(Problem::internal)?;
    let sealed = app.sealer.seal(&purpose(slot), &json);
    store::keep(&app.db, slot, i32::from(status), sealed).await.map_err(Problem::from)?;
    let response = response.set_body(body).map_into_boxed_body();
    Ok(ServiceResponse::new(request, response).map_into_right_body())
}

fn replay(app: &App, slot: &Slot, sealed: &[u8]) -> Result<HttpResponse, Problem> {
    let json = app.sealer.open(&purpose(slot), sealed).map_err(Problem::internal)?;
    let answer: Answer = serde_json::from_slice(&json).map_err(Problem::internal)?;
    let status = StatusCode::from_u16(answer.status).map_err(Problem::internal)?;
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    Ok(response.insert_header((REPLAYED, "true")).body(answer.body))
}

fn purpose(slot: &Slot) -> String {
    format!("idempotency_keys.response:{}:{}:{}:{}", slot.workspace_id, slot.principal, slot.route, slot.key)
}
