//! Sources over HTTP.

mod bodies;
mod selections;
mod view;

use actix_web::{
    HttpResponse, delete, get,
    http::header::{HeaderName, LOCATION},
    middleware::from_fn,
    patch, post, web,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use bodies::{CreateSource, UpdateSource};
use view::Source;

use super::{create, found, store, usable};
use crate::{
    app::App,
    auth::{
        Require,
        extract::{Manage, Read, Sync},
    },
    entity::source::{Model, SourceStatus},
    http::{ETag, IdempotencyKey, IfMatch, Json, Kind, Page, Paging, Problem, Query, idempotency},
    ids::{ConnectionId, KnowledgeBaseId, SourceId, WorkspaceId},
    knowledge_bases,
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(list_knowledge_base_sources)
        .service(create_source)
        .service(list_sources)
        .service(show_source)
        .service(update_source)
        .service(delete_source)
        .service(pause_source)
        .service(resume_source);
    selections::configure(config);
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Exists(other) => Self::new(
                Kind::SourceExists,
                format!("{other} feeds this knowledge base from this site already."),
            )
            .with("source_id", other.to_string()),
            store::Error::Changed => {
                Self::new(Kind::PreconditionFailed, "The source has changed meanwhile; read it again.")
            }
            store::Error::Deleting => deleting(),
            store::Error::Db(error) => error.into(),
        }
    }
}

fn deleting() -> Problem {
    Problem::new(Kind::Deleting, "The source is being deleted.")
}

/// The tag of what clients can write.
fn etag(row: &Model) -> Result<ETag, Problem> {
    ETag::of(&(row.id, row.revision))
}

fn location(id: SourceId) -> (HeaderName, String) {
    (LOCATION, format!("/v1/sources/{id}"))
}

async fn page_of(
    app: &App,
    workspace_id: WorkspaceId,
    filter: &store::Filter<'_>,
    paging: &Paging<SourceId>,
) -> Result<Json<Page<Source>>, Problem> {
    let rows = store::list(app.db.read(), workspace_id, filter, paging.after, paging.rows()).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut situations = store::situations(app.db.read(), &ids).await?;
    let now = app.clock.now();
    let show = |row: Model| {
        let situation = situations.remove(&row.id).unwrap_or_default();
        Source::of(row, situation, now)
    };
    Ok(Json(paging.page(rows, |row| row.id, show)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListKnowledgeBaseSources {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only sources with this `external_id`.
    external_id: Option<String>,
}

/// Lists the sources of a knowledge base.
///
/// Oldest first.
#[utoipa::path(
    tag = "sources",
    params(KnowledgeBaseId, ListKnowledgeBaseSources),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of sources.", body = Page<Source>)),
)]
#[get("/v1/knowledge-bases/{id}/sources")]
async fn list_knowledge_base_sources(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<KnowledgeBaseId>,
    Query(query): Query<ListKnowledgeBaseSources>,
) -> Result<Json<Page<Source>>, Problem> {
    let paging = Paging::parse(query.limit, query.cursor.as_deref())?;
    let knowledge_base = knowledge_bases::found(&app, caller.workspace_id, *id).await?;
    let filter = store::Filter {
        knowledge_base_id: Some(knowledge_base.id),
        external_id: query.external_id.as_deref(),
        ..Default::default()
    };
    page_of(&app, caller.workspace_id, &filter, &paging).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListSources {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only sources of this knowledge base.
    knowledge_base_id: Option<KnowledgeBaseId>,
    /// Only sources that read through this connection.
    connection_id: Option<ConnectionId>,
    /// Only sources with this status.
    status: Option<SourceStatus>,
    /// Only sources with this `external_id`.
    external_id: Option<String>,
}

/// Lists the sources of the workspace.
///
/// Oldest first.
#[utoipa::path(
    tag = "sources",
    params(ListSources),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of sources.", body = Page<Source>)),
)]
#[get("/v1/sources")]
async fn list_sources(
    app: web::Data<App>,
    caller: Require<Read>,
    Query(query): Query<ListSources>,
) -> Result<Json<Page<Source>>, Problem> {
    let paging = Paging::parse(query.limit, query.cursor.as_deref())?;
    let filter = store::Filter {
        knowledge_base_id: query.knowledge_base_id,
        connection_id: query.connection_id,
        status: query.status,
        external_id: query.external_id.as_deref(),
    };
    page_of(&app, caller.workspace_id, &filter, &paging).await
}

/// Creates a source of a knowledge base.
///
/// Everything selected is looked up first. Unless `paused`, the first sync is due at once: follow `current_sync_id`.
#[utoipa::path(
    tag = "sources",
    params(KnowledgeBaseId, IdempotencyKey),
    security(("bearer" = ["manage"])),
    responses(
        (status = 201, description = "The source.", body = Source),
        (status = 409, description = "The site feeds this knowledge base already (`source_exists`, with the `source_id`), the knowledge base cannot take sources now, or the connection is not active (`needs_reconnect`)."),
    ),
)]
#[post("/v1/knowledge-bases/{id}/sources", wrap = "from_fn(idempotency::once)")]
async fn create_source(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<KnowledgeBaseId>,
    Json(body): Json<CreateSource>,
) -> Result<HttpResponse, Problem> {
    let knowledge_base = knowledge_bases::found(&app, caller.workspace_id, *id).await?;
    let new = body.check(&app)?;
    let row = create(&app, &caller, &knowledge_base, new).await?;
    tracing::info!(source.id = %row.id, knowledge_base.id = %row.knowledge_base_id, "a source was made");
    let etag = etag(&row)?;
    Ok(HttpResponse::Created()
        .insert_header(location(row.id))
        .insert_header(etag.header())
        .json(Source::now(&app, row).await?))
}

/// Shows a source.
///
/// Its status and what hinders it, its documents by state, its syncs, and removals that wait for a decision.
#[utoipa::path(
    tag = "sources",
    params(SourceId),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The source.", body = Source)),
)]
#[get("/v1/sources/{id}")]
async fn show_source(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<SourceId>,
) -> Result<HttpResponse, Problem> {
    answer(&app, found(&app, caller.workspace_id, *id).await?).await
}

async fn answer(app: &App, row: Model) -> Result<HttpResponse, Problem> {
    let etag = etag(&row)?;
    Ok(HttpResponse::Ok().insert_header(etag.header()).json(Source::now(app, row).await?))
}

/// Changes a source.
///
/// With another connection, a sync under way goes on through that one; if that is another Atlassian account's, which may
/// see less, every removal waits for a person until the account has seen all documents. What a source selects is
/// changed with `PUT …/selections`.
#[utoipa::path(
    tag = "sources",
    params(SourceId, IfMatch),
    security(("bearer" = ["manage"])),
    responses(
        (status = 200, description = "The source as it is now.", body = Source),
        (status = 409, description = "It is being deleted (`deleting`), or the connection is not active (`needs_reconnect`)."),
    ),
)]
#[patch("/v1/sources/{id}")]
async fn update_source(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<SourceId>,
    if_match: IfMatch,
    Json(body): Json<UpdateSource>,
) -> Result<HttpResponse, Problem> {
    let patch = body.check(&app)?;
    let row = found(&app, caller.workspace_id, *id).await?;
    if_match.check(&etag(&row)?)?;
    if row.status == SourceStatus::Deleting {
        return Err(deleting());
    }
    if let Some(connection_id) = patch.connection_id {
        usable(&app, &caller, connection_id, ("/connection_id", &row.cloud_id)).await?;
    }
    let row = store::patch(&app.db, &row, patch, app.clock.now()).await?;
    app.wake.notify_one();
    answer(&app, row).await
}

/// What becomes of the documents of a source that is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Documents {
    /// They leave the vector store.
    #[default]
    Remove,
    /// They stay in the vector store; Tidegate no longer knows them.
    Keep,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteSource {
    /// What becomes of its documents.
    #[serde(default)]
    #[param(inline, default = "remove")]
    documents: Documents,
}

/// Deletes a source.
///
/// Its work stops at once. Its documents leave the vector store in the background, whether Confluence answers or not;
/// then the source is gone (404).
#[utoipa::path(
    tag = "sources",
    params(SourceId, DeleteSource),
    security(("bearer" = ["manage"])),
    responses((status = 202, description = "It is being deleted.", body = Source)),
)]
#[delete("/v1/sources/{id}")]
async fn delete_source(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<SourceId>,
    Query(query): Query<DeleteSource>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    let keep = matches!(query.documents, Documents::Keep);
    let row = store::begin_delete(&app.db, row.id, keep, app.clock.now()).await?;
    tracing::info!(source.id = %row.id, keep, "a source is being deleted");
    app.wake.notify_one();
    Ok(HttpResponse::Accepted().insert_header(location(row.id)).json(Source::now(&app, row).await?))
}

/// Pauses a source.
///
/// Nothing is read or changed until it is resumed; a sync under way stops at its next safe point and goes on then.
/// Its documents stay in the vector store.
#[utoipa::path(
    tag = "sources",
    params(SourceId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "The source, paused.", body = Source),
        (status = 409, description = "It is being deleted (`deleting`)."),
    ),
)]
#[post("/v1/sources/{id}/pause")]
async fn pause_source(
    app: web::Data<App>,
    caller: Require<Sync>,
    id: web::Path<SourceId>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    answer(&app, store::pause(&app.db, row.id, app.clock.now()).await?).await
}

/// Resumes a source.
///
/// It is due at once, unless its connection or knowledge base is lost: then it is `blocked`, and says why.
#[utoipa::path(
    tag = "sources",
    params(SourceId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "The source, active or blocked.", body = Source),
        (status = 409, description = "It is being deleted (`deleting`)."),
    ),
)]
#[post("/v1/sources/{id}/resume")]
async fn resume_source(
    app: web::Data<App>,
    caller: Require<Sync>,
    id: web::Path<SourceId>,
) -> Result<HttpResponse, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    let row = store::resume(&app.db, row.id, app.clock.now()).await?;
    app.wake.notify_one();
    answer(&app, row).await
}
