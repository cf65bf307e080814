//! Knowledge bases over HTTP.

mod freshness;
mod search;
mod view;

use std::collections::HashMap;

use actix_web::{HttpResponse, delete, get, http::header::LOCATION, middleware::from_fn, patch, post, web};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use view::KnowledgeBase;

use super::{New, change_key, create, found, store};
use crate::{
    app::App,
    auth::{
        Require, Scope,
        extract::{Manage, Read, lacks},
    },
    documents::StateCounts,
    entity::{
        Metadata,
        knowledge_base::{KnowledgeBaseStatus, Model, StoreOrigin},
    },
    http::{
        Check, ETag, IdempotencyKey, IfMatch, Json, Kind, Page, Paging, Problem, Query, idempotency, present,
    },
    ids::{KnowledgeBaseId, WorkspaceId},
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_knowledge_bases)
        .service(create_knowledge_base)
        .service(show_knowledge_base)
        .service(update_knowledge_base)
        .service(delete_knowledge_base)
        .service(freshness::show_freshness)
        .service(search::search_knowledge_base);
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Claimed => Self::internal(error),
            store::Error::Db(error) => error.into(),
        }
    }
}

/// The tag of what clients can write.
fn etag(row: &Model) -> Result<ETag, Problem> {
    ETag::of(&(row.id, row.revision))
}

fn changed() -> Problem {
    Problem::new(Kind::PreconditionFailed, "The knowledge base has changed meanwhile; read it again.")
}

fn location(id: KnowledgeBaseId) -> (actix_web::http::header::HeaderName, String) {
    (LOCATION, format!("/v1/knowledge-bases/{id}"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListKnowledgeBases {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only knowledge bases with this `external_id`.
    external_id: Option<String>,
}

/// Lists the knowledge bases of the workspace.
///
/// Oldest first.
#[utoipa::path(
    tag = "knowledge bases",
    params(ListKnowledgeBases),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of knowledge bases.", body = Page<KnowledgeBase>)),
)]
#[get("/v1/knowledge-bases")]
async fn list_knowledge_bases(
    app: web::Data<App>,
    caller: Require<Read>,
    Query(query): Query<ListKnowledgeBases>,
) -> Result<Json<Page<KnowledgeBase>>, Problem> {
    let paging = Paging::<KnowledgeBaseId>::parse(query.limit, query.cursor.as_deref())?;
    let external_id = query.external_id.as_deref();
    let rows =
        store::list(app.db.read(), caller.workspace_id, external_id, paging.after, paging.rows()).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut counts: HashMap<_, _> = store::count_documents(app.db.read(), &ids).await?;
    let show = |row: Model| {
        let documents = counts.remove(&row.id).unwrap_or_default();
        KnowledgeBase::of(row, documents)
    };
    Ok(Json(paging.page(rows, |row| row.id, show)?))
}

/// What a new knowledge base shall be.
// Not `Debug`: it may hold a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateKnowledgeBase {
    /// A name for people; a new vector store gets it, too.
    #[schema(examples("Handbook"), min_length = 1, max_length = 200)]
    name: String,
    /// A vector store to adopt; absent: one is made.
    #[schema(examples("vs_68f0a1b2c3d4819190abcdef"), min_length = 1, max_length = 128)]
    vector_store_id: Option<String>,
    /// The OpenAI key that reaches the store; absent: the server's.
    #[schema(min_length = 1, max_length = 512, write_only)]
    openai_api_key: Option<String>,
    /// Your own id for it.
    #[schema(max_length = 255)]
    external_id: Option<String>,
    /// Your own notes.
    #[serde(default)]
    metadata: Metadata,
}

fn check_key(check: &mut Check, key: Option<&str>) {
    let sound =
        key.is_none_or(|key| (1..=512).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
    check.that(sound, "/openai_api_key", "invalid", "This is not an OpenAI key.");
}

impl CreateKnowledgeBase {
    fn check(self, workspace_id: WorkspaceId) -> Result<New, Problem> {
        let mut check = Check::default();
        check.text("/name", &self.name, 1..=200);
        if let Some(id) = &self.vector_store_id {
            check.text("/vector_store_id", id, 1..=128);
        }
        check_key(&mut check, self.openai_api_key.as_deref());
        check.labels(self.external_id.as_deref(), &self.metadata);
        check.done()?;
        Ok(New {
            workspace_id,
            name: self.name,
            vector_store_id: self.vector_store_id,
            openai_api_key: self.openai_api_key.map(SecretString::from),
            external_id: self.external_id,
            metadata: self.metadata,
        })
    }
}

/// Creates a knowledge base.
///
/// Makes a vector store, or adopts one by id. Each store feeds at most one knowledge base of an installation; a store
/// that is taken and one that does not exist get the same answer. Adopting with the server's key needs the scope
/// `operator`. If OpenAI does not say whether it made the store, the answer is 202 and the status `creating` until that
/// is settled.
#[utoipa::path(
    tag = "knowledge bases",
    params(IdempotencyKey),
    security(("bearer" = ["manage"])),
    responses(
        (status = 201, description = "The knowledge base.", body = KnowledgeBase),
        (status = 202, description = "The store is still being made.", body = KnowledgeBase),
        (status = 409, description = "There is no OpenAI key to use (`openai_not_configured`), or its account is at a limit (`openai_quota_exhausted`)."),
        (status = 422, description = "Some of the input is not valid, OpenAI does not accept the key (`openai_key_rejected`), or the store cannot be adopted (`store_not_available`)."),
    ),
)]
#[post("/v1/knowledge-bases", wrap = "from_fn(idempotency::once)")]
async fn create_knowledge_base(
    app: web::Data<App>,
    caller: Require<Manage>,
    Json(body): Json<CreateKnowledgeBase>,
) -> Result<HttpResponse, Problem> {
    let new = body.check(caller.workspace_id)?;
    let borrows_key = new.vector_store_id.is_some() && new.openai_api_key.is_none();
    if borrows_key && !caller.scopes.contain(Scope::Operator) {
        return Err(lacks(Scope::Operator));
    }
    let row = create(&app, new).await?;
    tracing::info!(knowledge_base.id = %row.id, workspace.id = %row.workspace_id, "a knowledge base was made");
    let is_settled = row.status == KnowledgeBaseStatus::Active;
    let mut response = if is_settled { HttpResponse::Created() } else { HttpResponse::Accepted() };
    response.insert_header(location(row.id)).insert_header(etag(&row)?.header());
    Ok(response.json(KnowledgeBase::of(row, StateCounts::default())))
}

/// Shows a knowledge base.
///
/// Its store, whose key reaches it, its documents by state, and the tool JSON for OpenAI's Responses API.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The knowledge base.", body = KnowledgeBase)),
)]
#[get("/v1/knowledge-bases/{id}")]
async fn show_knowledge_base(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<KnowledgeBaseId>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    let etag = etag(&row)?;
    Ok(HttpResponse::Ok().insert_header(etag.header()).json(KnowledgeBase::counted(&app, row).await?))
}

/// What to change about a knowledge base; absent fields stay.
// Not `Debug`: it may hold a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateKnowledgeBase {
    /// A name for people. The store keeps the one it was made with.
    #[schema(examples("Handbook"), min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Your own id for it; `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 255, value_type = Option<String>)]
    #[expect(clippy::option_option, reason = "absent and null mean different things")]
    external_id: Option<Option<String>>,
    /// Your own notes, all of them.
    metadata: Option<Metadata>,
    /// A new OpenAI key. It must reach the store; if it does, the knowledge base is no longer blocked.
    #[schema(min_length = 1, max_length = 512, write_only)]
    openai_api_key: Option<String>,
}

impl UpdateKnowledgeBase {
    fn check(&self) -> Result<(), Problem> {
        let mut check = Check::default();
        if let Some(name) = &self.name {
            check.text("/name", name, 1..=200);
        }
        check_key(&mut check, self.openai_api_key.as_deref());
        let nothing = Metadata::default();
        let external_id = self.external_id.as_ref().and_then(Option::as_deref);
        check.labels(external_id, self.metadata.as_ref().unwrap_or(&nothing));
        check.done()
    }
}

/// Changes a knowledge base.
///
/// A new `openai_api_key` is tried on the store before anything is changed.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId, IfMatch),
    security(("bearer" = ["manage"])),
    responses(
        (status = 200, description = "The knowledge base as it is now.", body = KnowledgeBase),
        (status = 409, description = "It is being deleted (`deleting`), or the account of the new key is at a limit (`openai_quota_exhausted`)."),
        (status = 422, description = "Some of the input is not valid, OpenAI does not accept the key (`openai_key_rejected`), or the key does not reach the store (`store_not_available`)."),
    ),
)]
#[patch("/v1/knowledge-bases/{id}")]
async fn update_knowledge_base(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<KnowledgeBaseId>,
    if_match: IfMatch,
    Json(body): Json<UpdateKnowledgeBase>,
) -> Result<HttpResponse, Problem> {
    body.check()?;
    let row = found(&app, caller.workspace_id, *id).await?;
    if_match.check(&etag(&row)?)?;
    if row.status == KnowledgeBaseStatus::Deleting {
        return Err(Problem::new(Kind::Deleting, "The knowledge base is being deleted."));
    }
    let credential = match body.openai_api_key.map(SecretString::from) {
        Some(key) => Some(change_key(&app, &row, &key).await?),
        None => None,
    };
    let patch =
        store::Patch { name: body.name, external_id: body.external_id, metadata: body.metadata, credential };
    let patched = store::patch(&app.db, &row, patch, app.clock.now()).await?;
    let row = patched.ok_or_else(changed)?;
    app.wake.notify_one();
    let etag = etag(&row)?;
    Ok(HttpResponse::Ok().insert_header(etag.header()).json(KnowledgeBase::counted(&app, row).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteKnowledgeBase {
    /// Delete the vector store, too: only one that Tidegate made, and only if nothing foreign is in it.
    #[serde(default)]
    delete_store: bool,
    /// Forget it without cleaning up at OpenAI: for a key that is dead for good.
    #[serde(default)]
    forget: bool,
}

/// Deletes a knowledge base with all its sources.
///
/// From now on nothing is added to the store. Tidegate's files leave it first, in the background; then the knowledge
/// base is gone (404). Files of others stay.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId, DeleteKnowledgeBase),
    security(("bearer" = ["manage"])),
    responses(
        (status = 202, description = "It is being deleted.", body = KnowledgeBase),
        (status = 409, description = "Its store is still being made, or `delete_store` was asked for a store that was adopted."),
    ),
)]
#[delete("/v1/knowledge-bases/{id}")]
async fn delete_knowledge_base(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<KnowledgeBaseId>,
    Query(query): Query<DeleteKnowledgeBase>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    if query.delete_store && row.origin == StoreOrigin::Adopted {
        return Err(Problem::new(
            Kind::Conflict,
            "The store was adopted: Tidegate deletes only stores that it made.",
        ));
    }
    if row.status == KnowledgeBaseStatus::Creating && !query.forget {
        const DETAIL: &str =
            "Whether its store was made is still being settled; try again soon, or forget it.";
        return Err(Problem::new(Kind::Conflict, DETAIL));
    }
    let now = app.clock.now();
    let row = store::begin_delete(&app.db, row.id, query.delete_store, query.forget, now).await?;
    let row = row.ok_or_else(|| Problem::not_found("knowledge base"))?;
    tracing::info!(knowledge_base.id = %row.id, workspace.id = %row.workspace_id, "a knowledge base is being deleted");
    app.wake.notify_one();
    let view = KnowledgeBase::counted(&app, row).await?;
    Ok(HttpResponse::Accepted().insert_header(location(view.id)).json(view))
}
