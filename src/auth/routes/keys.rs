//! The API keys of a workspace.

use actix_web::{
    HttpResponse, delete, get,
    http::header::{CACHE_CONTROL, LOCATION},
    middleware::from_fn,
    post, web,
};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    auth::{
        KeyOrder, NewKey, Require, Scope, Scopes,
        extract::{Admin, lacks, needs_key},
        store,
    },
    entity::{Metadata, api_key},
    http::{Check, IdempotencyKey, Json, Page, Paging, Problem, Query, idempotency},
    ids::ApiKeyId,
};

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
struct ApiKey {
    id: ApiKeyId,
    #[schema(examples("backend"))]
    name: String,
    /// How the key begins, to tell keys apart.
    #[schema(examples("tg_Ab3dEf7h"))]
    prefix: String,
    scopes: Vec<Scope>,
    /// Whether it comes from the settings or the first start.
    bootstrap: bool,
    external_id: Option<String>,
    metadata: Metadata,
    created_at: DateTime<Utc>,
    /// When it ends; `null`: never.
    expires_at: Option<DateTime<Utc>>,
    /// Its last use, to the minute.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<api_key::Model> for ApiKey {
    fn from(row: api_key::Model) -> Self {
        let scopes = Scopes::of(&row).to_vec();
        Self {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            scopes,
            bootstrap: row.bootstrap,
            external_id: row.external_id,
            metadata: row.metadata,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

/// A new API key, with its secret.
#[derive(Serialize, ToSchema)]
struct CreatedApiKey {
    #[serde(flatten)]
    api_key: ApiKey,
    /// The secret: shown now and never again.
    #[schema(examples("tg_Ab3dEf7hIjKlMnOpQrStUvWxYz0123456789_-AbCdE"))]
    secret: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListApiKeys {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only keys with this `external_id`.
    external_id: Option<String>,
}

/// Lists the API keys of the workspace.
///
/// Oldest first; revoked ones are not listed.
#[utoipa::path(
    tag = "api keys",
    security(("bearer" = ["admin"])),
    params(ListApiKeys),
    responses((status = 200, description = "A page of API keys.", body = Page<ApiKey>)),
)]
#[get("/v1/api-keys")]
pub(super) async fn list_api_keys(
    app: web::Data<App>,
    caller: Require<Admin>,
    Query(query): Query<ListApiKeys>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    let paging = Paging::<ApiKeyId>::parse(query.limit, query.cursor.as_deref())?;
    let external_id = query.external_id.as_deref();
    let rows =
        store::list(app.db.read(), caller.workspace_id, external_id, paging.after, paging.rows()).await?;
    Ok(Json(paging.page(rows, |row| row.id, ApiKey::from)?))
}

/// What a new API key shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKey {
    /// A name for people.
    #[schema(examples("backend"), min_length = 1, max_length = 200)]
    name: String,
    /// What it may do; no more than the key that makes it.
    #[schema(examples(json!(["read", "content", "sync"])), min_items = 1)]
    scopes: Vec<Scope>,
    /// When it ends; absent: never.
    expires_at: Option<DateTime<Utc>>,
    /// Your own id for it.
    #[schema(max_length = 255)]
    external_id: Option<String>,
    /// Your own notes.
    #[serde(default)]
    metadata: Metadata,
}

impl CreateApiKey {
    fn check(self, now: DateTime<Utc>) -> Result<KeyOrder, Problem> {
        let mut check = Check::default();
        check.text("/name", &self.name, 1..=200);
        check.that(!self.scopes.is_empty(), "/scopes", "required", "Name at least one scope.");
        check.that(
            self.expires_at.is_none_or(|end| end > now),
            "/expires_at",
            "invalid",
            "`expires_at` is in the past.",
        );
        check.labels(self.external_id.as_deref(), &self.metadata);
        check.done()?;
        Ok(KeyOrder {
            name: self.name,
            scopes: self.scopes.into_iter().collect(),
            expires_at: self.expires_at,
            external_id: self.external_id,
            metadata: self.metadata,
        })
    }
}

/// Creates an API key for the workspace.
///
/// The answer holds the secret; it is shown this once. A key cannot make another that may do more than itself.
#[utoipa::path(
    tag = "api keys",
    security(("bearer" = ["admin"])),
    params(IdempotencyKey),
    responses((status = 201, description = "The key and its secret.", body = CreatedApiKey)),
)]
#[post("/v1/api-keys", wrap = "from_fn(idempotency::once)")]
pub(super) async fn create_api_key(
    app: web::Data<App>,
    caller: Require<Admin>,
    Json(body): Json<CreateApiKey>,
) -> Result<HttpResponse, Problem> {
    needs_key(&caller)?;
    let now = app.clock.now();
    let order = body.check(now)?;
    if let Some(scope) = caller.scopes.lacking(&order.scopes) {
        return Err(lacks(scope));
    }
    let key = NewKey::make(caller.workspace_id, order, now);
    let row = store::insert(&app.db, key.row).await?;
    tracing::info!(api_key.id = %row.id, workspace.id = %row.workspace_id, "an API key was made");
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/api-keys/{}", row.id)))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(CreatedApiKey { api_key: row.into(), secret: key.secret.expose_secret().to_owned() }))
}

/// Revokes an API key.
///
/// From then on it opens nothing; where several replicas run, the others learn of it within five seconds. A key may
/// revoke itself.
#[utoipa::path(
    tag = "api keys",
    security(("bearer" = ["admin"])),
    params(ApiKeyId),
    responses((status = 204, description = "The key is revoked.")),
)]
#[delete("/v1/api-keys/{id}")]
pub(super) async fn revoke_api_key(
    app: web::Data<App>,
    caller: Require<Admin>,
    id: web::Path<ApiKeyId>,
) -> Result<HttpResponse, Problem> {
    if !store::revoke(&app.db, caller.workspace_id, *id, app.clock.now()).await? {
        return Err(Problem::not_found("API key"));
    }
    app.known.forget();
    tracing::info!(api_key.id = %*id, workspace.id = %caller.workspace_id, "an API key was revoked");
    Ok(HttpResponse::NoContent().finish())
}
