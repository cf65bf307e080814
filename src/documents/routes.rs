//! Documents over HTTP.

use actix_web::{HttpResponse, get, http::header, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    found,
    listed::Asked,
    store::{self, Row},
};
use crate::{
    app::App,
    auth::{
        Require,
        extract::{Content, Read, Sync},
    },
    entity::{
        Evidence,
        document::{DocumentState, Model},
        file,
        sync::{SyncMode, SyncTrigger},
    },
    files,
    http::{Json, Kind, Page, Paging, Problem, Query},
    ids::{DocumentId, SourceId},
    sources,
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config.service(list_documents).service(show_document).service(show_content).service(retry_document);
}

/// One page of a source, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
struct Document {
    id: DocumentId,
    #[schema(examples("98306"))]
    page_id: String,
    #[schema(examples("Annual leave"))]
    title: String,
    #[schema(examples("https://acme.atlassian.net/wiki/pages/viewpage.action?pageId=98306"))]
    url: String,
    #[schema(examples("32770"))]
    space_id: String,
    /// The page or folder above it.
    #[schema(examples("98304"))]
    parent_id: Option<String>,
    state: DocumentState,
    /// A stable word for why it is in that state, such as `empty` or `indexing_failed`.
    reason: Option<String>,
    /// The same for a person.
    message: Option<String>,
    /// The version whose text is in the vector store; `null` if none is.
    #[schema(examples(7))]
    version: Option<i64>,
    /// The newest version seen at Confluence.
    #[schema(examples(7))]
    wanted_version: i64,
    /// Its file in the vector store; `null` if none is there.
    #[schema(examples("file-Abc123Def456Ghi789"))]
    vector_store_file_id: Option<String>,
    /// When the newest version was made, by Confluence's clock.
    edited_at: DateTime<Utc>,
    /// When Tidegate saw it.
    #[schema(examples("2026-03-04T09:16:02Z"))]
    detected_at: DateTime<Utc>,
    /// When it could first be found in the vector store; `null` while it cannot.
    #[schema(examples("2026-03-04T09:16:34Z"))]
    searchable_at: Option<DateTime<Utc>>,
    /// From edited to searchable.
    #[schema(examples(94))]
    lag_seconds: Option<i64>,
    /// Since when Confluence no longer shows the page.
    suspect_since: Option<DateTime<Utc>>,
    /// When it is tried again.
    retry_at: Option<DateTime<Utc>>,
    /// When it left the vector store; it stays listed 30 days.
    removed_at: Option<DateTime<Utc>>,
}

impl From<Row> for Document {
    fn from(row: Row) -> Self {
        let lag = |at: DateTime<Utc>| at.signed_duration_since(row.edited_at).num_seconds().max(0);
        Self {
            id: row.id,
            page_id: row.external_id,
            title: row.title,
            url: row.url,
            space_id: row.space_id,
            parent_id: row.parent_id,
            state: row.state,
            reason: row.reason,
            message: row.message,
            version: row.live_version,
            wanted_version: row.wanted_version,
            vector_store_file_id: row.openai_file_id,
            edited_at: row.edited_at,
            detected_at: row.detected_at,
            searchable_at: row.searchable_at,
            lag_seconds: row.searchable_at.map(lag),
            suspect_since: row.suspect_since,
            retry_at: row.retry_at,
            removed_at: row.removed_at,
        }
    }
}

/// One page of a source with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
struct DocumentDetails {
    #[serde(flatten)]
    document: Document,
    source_id: SourceId,
    #[schema(examples("HANDBOOK"))]
    space_key: Option<String>,
    /// The titles of the pages and folders above it, as its file carries them.
    #[schema(examples("Time off / Annual leave"))]
    path: Option<String>,
    /// The bytes of its text in the vector store.
    #[schema(examples(4312))]
    bytes: Option<i64>,
    /// When it was last seen where it should be.
    #[schema(examples("2026-03-04T09:16:02Z"))]
    verified_at: Option<DateTime<Utc>>,
    /// What proves that it must leave, or makes it suspect.
    evidence: Option<Evidence>,
    /// How often it failed in a row.
    #[schema(examples(0))]
    failures: i32,
    #[schema(examples("2025-11-20T07:41:10Z"))]
    created_at: DateTime<Utc>,
    #[schema(examples("2026-03-04T09:16:34Z"))]
    updated_at: DateTime<Utc>,
}

impl DocumentDetails {
    fn of(row: Model, file: Option<file::Model>, space_key: Option<String>) -> Self {
        let path = file.as_ref().and_then(|file| file.attributes["path"].as_str());
        Self {
            path: path.map(str::to_owned),
            bytes: file.as_ref().map(|file| file.bytes),
            source_id: row.source_id,
            space_key,
            verified_at: row.verified_at,
            evidence: row.evidence.clone(),
            failures: row.failures,
            created_at: row.created_at,
            updated_at: row.updated_at,
            document: Row::of(row, file.and_then(|file| file.openai_file_id)).into(),
        }
    }

    async fn now(app: &App, row: Model) -> Result<Self, Problem> {
        let file = store::live_file_of(app.db.read(), row.id).await?;
        let space_key = store::space_key(app.db.read(), row.source_id, &row.space_id).await?;
        Ok(Self::of(row, file, space_key))
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListDocuments {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only documents in this state.
    state: Option<DocumentState>,
    /// Only documents with this in their title, in any case of letters.
    #[param(max_length = 200)]
    q: Option<String>,
}

/// Lists the documents of a source.
///
/// Oldest first. Those that were removed stay listed 30 days.
#[utoipa::path(
    tag = "documents",
    params(SourceId, ListDocuments),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of documents.", body = Page<Document>)),
)]
#[get("/v1/sources/{id}/documents")]
async fn list_documents(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<SourceId>,
    Query(query): Query<ListDocuments>,
) -> Result<HttpResponse, Problem> {
    let paging = Paging::<DocumentId>::parse(query.limit, query.cursor.as_deref())?;
    let revision = sources::store::documents_revision(app.db.read(), caller.workspace_id, *id).await?;
    let revision = revision.ok_or_else(|| Problem::not_found("source"))?;
    let title = query.q.as_deref().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    let asked = Asked { source: *id, state: query.state, title, after: paging.after, rows: paging.rows() };
    if let Some(body) = app.listed.find(&asked, revision) {
        return Ok(answer(body));
    }
    let rows = store::list(app.db.read(), &asked).await?;
    let page = paging.page(rows, |row| row.id, Document::from)?;
    let body: web::Bytes = serde_json::to_vec(&page).map_err(Problem::internal)?.into();
    app.listed.keep(asked, revision, body.clone());
    Ok(answer(body))
}

fn answer(body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok().content_type(header::ContentType::json()).body(body)
}

/// Shows a document.
///
/// As in the list, with its place, the evidence that it must leave, and its failures.
#[utoipa::path(
    tag = "documents",
    params(DocumentId),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The document.", body = DocumentDetails)),
)]
#[get("/v1/documents/{id}")]
async fn show_document(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<DocumentId>,
) -> Result<Json<DocumentDetails>, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    Ok(Json(DocumentDetails::now(&app, row).await?))
}

/// Shows the exact text of a document.
///
/// The Markdown that is in the vector store, byte for byte.
#[utoipa::path(
    tag = "documents",
    params(DocumentId),
    security(("bearer" = ["content"])),
    responses(
        (status = 200, description = "The text.", body = String, content_type = "text/markdown",
         example = "# Annual leave\n\nEverybody has 30 days of annual leave a year.\n"),
        (status = 404, description = "It does not exist, belongs to another workspace, or has no text in the vector store."),
    ),
)]
#[get("/v1/documents/{id}/content")]
async fn show_content(
    app: web::Data<App>,
    caller: Require<Content>,
    id: web::Path<DocumentId>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    let nothing = || Problem::new(Kind::NotFound, "The document has no text in the vector store.");
    let file = store::live_file_of(app.db.read(), row.id).await?.ok_or_else(nothing)?;
    let packed = store::text_of(app.db.read(), file.id).await?.ok_or_else(nothing)?;
    let text = files::unpack(&app.sealer, file.id, &packed).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok()
        .content_type("text/markdown; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text))
}

/// Tries a document again.
///
/// For one that failed, was skipped, or waits: its failures and what OpenAI refused are forgotten, and the next sync,
/// which is due at once unless the source is paused or blocked, renders it anew.
#[utoipa::path(
    tag = "documents",
    params(DocumentId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 202, description = "It will be tried again.", body = DocumentDetails),
        (status = 409, description = "There is nothing to try again: it is live, suspect, removed, or being indexed."),
    ),
)]
#[post("/v1/documents/{id}/retry")]
async fn retry_document(
    app: web::Data<App>,
    caller: Require<Sync>,
    id: web::Path<DocumentId>,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let row = found(&app, caller.workspace_id, *id).await?;
    let apt = matches!(row.state, DocumentState::Failed | DocumentState::Skipped | DocumentState::Pending);
    if !apt || !store::retry(&app.db, &row, now).await? {
        let detail = "Only a document that failed, was skipped or is pending can be tried again.";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    sources::store::make_due(&app.db, row.source_id, SyncTrigger::Manual, SyncMode::Delta, now).await?;
    app.wake.notify_one();
    let row = found(&app, caller.workspace_id, row.id).await?;
    Ok(HttpResponse::Accepted()
        .insert_header((header::LOCATION, format!("/v1/documents/{}", row.id)))
        .json(DocumentDetails::now(&app, row).await?))
}
