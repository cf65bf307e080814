//! Knowledge bases over HTTP.

use std::collections::HashMap;

use actix_web::{HttpResponse, delete, get, http::header::LOCATION, middleware::from_fn, patch, post, web};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{New, Passage, change_key, create, found, search, store};
use crate::{
    app::App,
    auth::{
        Require, Scope,
        extract::{Content, Manage, Read, lacks},
    },
    documents::StateCounts,
    entity::{
        Metadata, Problem as Trouble,
        knowledge_base::{KnowledgeBaseStatus, Model, StoreOrigin},
    },
    http::{
        Check, ETag, IdempotencyKey, IfMatch, Json, Kind, Page, Paging, Problem, Query, idempotency, present,
    },
    ids::{DocumentId, KnowledgeBaseId, WorkspaceId},
    openai::SearchRequest,
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_knowledge_bases)
        .service(create_knowledge_base)
        .service(show_knowledge_base)
        .service(update_knowledge_base)
        .service(delete_knowledge_base)
        .service(search_knowledge_base);
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Claimed => Self::internal(error),
            store::Error::Db(error) => error.into(),
        }
    }
}

/// An OpenAI vector store that Tidegate feeds.
#[derive(Debug, Serialize, ToSchema)]
struct KnowledgeBase {
    id: KnowledgeBaseId,
    #[schema(examples("Handbook"))]
    name: String,
    status: KnowledgeBaseStatus,
    /// Why it is blocked, and what to do about it.
    problem: Option<Trouble>,
    /// The store at OpenAI. It never changes by itself; `null` only while it is being made.
    #[schema(examples("vs_68f0a1b2c3d4819190abcdef"))]
    vector_store_id: Option<String>,
    origin: StoreOrigin,
    credential: Credential,
    /// Paste this into `tools` of `POST /v1/responses` at OpenAI; `null` while the store is being made.
    file_search_tool: Option<FileSearchTool>,
    /// How many documents of all its sources are in each state.
    documents: StateCounts,
    external_id: Option<String>,
    metadata: Metadata,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Whose OpenAI key reaches the store.
#[derive(Debug, Serialize, ToSchema)]
struct Credential {
    kind: CredentialKind,
    /// The end of a key of its own.
    #[schema(examples("9xYz"))]
    last4: Option<String>,
}

/// Whose key it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CredentialKind {
    /// The knowledge base brought it.
    Own,
    /// The installation's.
    Server,
}

/// The tool as OpenAI's Responses API takes it.
#[derive(Debug, Serialize, ToSchema)]
struct FileSearchTool {
    #[schema(examples("file_search"))]
    r#type: &'static str,
    #[schema(examples(json!(["vs_68f0a1b2c3d4819190abcdef"])))]
    vector_store_ids: Vec<String>,
}

impl KnowledgeBase {
    fn of(row: Model, documents: StateCounts) -> Self {
        let tool = |id: &String| FileSearchTool { r#type: "file_search", vector_store_ids: vec![id.clone()] };
        let kind = if row.credential.is_some() { CredentialKind::Own } else { CredentialKind::Server };
        Self {
            file_search_tool: row.vector_store_id.as_ref().map(tool),
            id: row.id,
            name: row.name,
            status: row.status,
            problem: row.problem,
            vector_store_id: row.vector_store_id,
            origin: row.origin,
            credential: Credential { kind, last4: row.credential_last4 },
            documents,
            external_id: row.external_id,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    async fn counted(app: &App, row: Model) -> Result<Self, Problem> {
        let mut counts = store::count_documents(app.db.read(), &[row.id]).await?;
        let documents = counts.remove(&row.id).unwrap_or_default();
        Ok(Self::of(row, documents))
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

/// What a new knowledge base shall be. (Not `Debug`: it may hold a key.)
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
    let sound = key.is_none_or(|key| (1..=512).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
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
#[utoipa::path(
    tag = "knowledge bases",
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

/// What to change about a knowledge base; absent fields stay. (Not `Debug`: it may hold a key.)
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateKnowledgeBase {
    /// A name for people. The store keeps the one it was made with.
    #[schema(examples("Handbook"), min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Your own id for it; `null` removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 255, value_type = Option<String>)]
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
    params(IfMatch),
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
    params(DeleteKnowledgeBase),
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
        return Err(Problem::new(Kind::Conflict, "The store was adopted: Tidegate deletes only stores that it made."));
    }
    if row.status == KnowledgeBaseStatus::Creating && !query.forget {
        const DETAIL: &str = "Whether its store was made is still being settled; try again soon, or forget it.";
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

/// A question to a knowledge base.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SearchKnowledgeBase {
    /// The question, in words.
    #[schema(examples("How many days of annual leave do we have?"), min_length = 1, max_length = 4096)]
    query: String,
    /// The most passages.
    #[schema(examples(5), minimum = 1, maximum = 50, default = 10)]
    max_results: Option<u32>,
    /// A comparison over the attributes of the files, or a compound of them, in OpenAI's form.
    #[schema(value_type = Option<Object>, examples(json!({ "type": "eq", "key": "space_key", "value": "HANDBOOK" })))]
    filters: Option<serde_json::Map<String, serde_json::Value>>,
}

impl SearchKnowledgeBase {
    fn check(self) -> Result<SearchRequest, Problem> {
        let mut check = Check::default();
        let length = self.query.chars().count();
        check.that(!self.query.trim().is_empty(), "/query", "too_short", "Ask something.");
        check.that(length <= 4096, "/query", "too_long", "May have at most 4096 characters.");
        let results = self.max_results.unwrap_or(10);
        check.that((1..=50).contains(&results), "/max_results", "out_of_range", "Must be between 1 and 50.");
        check.done()?;
        let filters = self.filters.map(serde_json::Value::Object);
        Ok(SearchRequest { query: self.query, max_num_results: Some(results), filters, rewrite_query: None })
    }
}

/// The passages that answer a question, the best first.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResults {
    items: Vec<SearchResult>,
}

/// A passage of the store.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResult {
    #[schema(examples("Everybody has 30 days of annual leave a year."))]
    text: String,
    /// How well it answers; at OpenAI between 0 and 1.
    #[schema(examples(0.87))]
    score: f64,
    /// The Confluence page, if the passage comes from one.
    #[schema(examples("98306"))]
    page_id: Option<String>,
    #[schema(examples("Annual leave"))]
    title: Option<String>,
    #[schema(examples("https://acme.atlassian.net/wiki/pages/viewpage.action?pageId=98306"))]
    url: Option<String>,
    /// The document of this knowledge base that it comes from; `null` for files of others.
    document_id: Option<DocumentId>,
}

impl From<Passage> for SearchResult {
    fn from(passage: Passage) -> Self {
        let Passage { text, score, page_id, title, url, document_id } = passage;
        Self { text, score, page_id, title, url, document_id }
    }
}

/// Searches a knowledge base.
///
/// The passages that OpenAI finds in the vector store, each with the page it comes from. Files that others put into
/// the store are found, too; they have no `document_id`.
#[utoipa::path(
    tag = "knowledge bases",
    security(("bearer" = ["content"])),
    responses(
        (status = 200, description = "The passages, the best first.", body = SearchResults),
        (status = 409, description = "The store or key is lost (`blocked`, with the `problem`), the store is still being made, or the account is at a limit (`openai_quota_exhausted`)."),
    ),
)]
#[post("/v1/knowledge-bases/{id}/search")]
async fn search_knowledge_base(
    app: web::Data<App>,
    caller: Require<Content>,
    id: web::Path<KnowledgeBaseId>,
    Json(body): Json<SearchKnowledgeBase>,
) -> Result<Json<SearchResults>, Problem> {
    let request = body.check()?;
    let row = found(&app, caller.workspace_id, *id).await?;
    let passages = search(&app, &row, &request).await?;
    Ok(Json(SearchResults { items: passages.into_iter().map(SearchResult::from).collect() }))
}
