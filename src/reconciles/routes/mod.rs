//! Reconciles over HTTP.

mod view;

use actix_web::{HttpResponse, get, http::header::LOCATION, post, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    found,
    store::{self, Requested},
};
use crate::{
    app::App,
    auth::{
        Require,
        extract::{Manage, Read, Sync as MaySync},
    },
    entity::{
        knowledge_base::{self, KnowledgeBaseStatus},
        reconcile::{ReconcileKind, ReconcileTrigger},
    },
    http::{Json, Kind, Page, Paging, Problem, Query},
    ids::{FindingId, KnowledgeBaseId, ReconcileId},
    knowledge_bases,
};
use view::{Finding, Reconcile};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(start_reconcile)
        .service(rebuild_store)
        .service(list_reconciles)
        .service(show_reconcile)
        .service(list_findings)
        .service(approve_reconcile);
}

/// Why nothing can be asked of a knowledge base that is not active.
fn not_active(row: &knowledge_base::Model) -> Option<Problem> {
    match row.status {
        KnowledgeBaseStatus::Active => None,
        KnowledgeBaseStatus::Creating => {
            Some(Problem::new(Kind::Conflict, "The store of the knowledge base is still being made."))
        }
        KnowledgeBaseStatus::Deleting => {
            Some(Problem::new(Kind::Deleting, "The knowledge base is being deleted."))
        }
        KnowledgeBaseStatus::Blocked => {
            let problem = Problem::new(Kind::Blocked, "The knowledge base is blocked; see its problem.");
            Some(match &row.problem {
                Some(trouble) => problem.with("problem", serde_json::json!(trouble)),
                None => problem,
            })
        }
    }
}

/// The answer to a request for a reconcile or a rebuild.
pub async fn requested(app: &App, result: Requested) -> Result<HttpResponse, Problem> {
    let (mut response, row) = match result {
        Requested::Queued(row) => (HttpResponse::Accepted(), row),
        Requested::Existing(row) => (HttpResponse::Ok(), row),
        Requested::Other(row) => {
            const DETAIL: &str = "Another reconcile or rebuild of this knowledge base is under way.";
            return Err(Problem::new(Kind::Conflict, DETAIL).with("reconcile_id", row.id.to_string()));
        }
    };
    app.wake.notify_one();
    response.insert_header((LOCATION, format!("/v1/reconciles/{}", row.id)));
    Ok(response.json(Reconcile::counted(app, row).await?))
}

/// How to reconcile.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StartReconcile {
    /// Report what differs, and change nothing.
    #[serde(default)]
    #[schema(examples(true))]
    dry_run: bool,
}

/// Compares a store with what is known of it, and puts it right.
///
/// Reads the store's own list of files. What is missing is put there again from the text that was kept, attributes that
/// others changed are written again, files of ours that nothing knows are taken up or removed, and files of others are
/// left alone. More removals than 10 and a quarter of the live files wait for `POST /v1/reconciles/{id}/approve`. With
/// `dry_run` it only reports. It happens by itself once a day, and when a store is adopted.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "The same is under way.", body = Reconcile),
        (status = 202, description = "It is queued.", body = Reconcile),
        (status = 409, description = "Another reconcile or rebuild is under way (`conflict`, with its `reconcile_id`), or the knowledge base is blocked (`blocked`, with the `problem`), being made or being deleted."),
    ),
)]
#[post("/v1/knowledge-bases/{id}/reconcile")]
async fn start_reconcile(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<KnowledgeBaseId>,
    Json(body): Json<StartReconcile>,
) -> Result<HttpResponse, Problem> {
    let row = knowledge_bases::found(&app, caller.workspace_id, *id).await?;
    if let Some(problem) = not_active(&row) {
        return Err(problem);
    }
    let (kind, trigger) = (ReconcileKind::Reconcile, ReconcileTrigger::Manual);
    let wanted = store::queued(&row, kind, trigger, body.dry_run, app.clock.now());
    requested(&app, store::request(&app.db, wanted).await?).await
}

/// Makes a new store in the place of one that is lost.
///
/// Only where the store does not exist any more, or has expired: a knowledge base never gets another store by itself.
/// Every document is brought into the new store, from its file at OpenAI or from the text that was kept; those of paused
/// sources follow when they are resumed. The answer is a reconcile of the kind `rebuild`, which shows the new
/// `vector_store_id` as soon as the store is made: whoever reads the store needs it from then on. The old store is left
/// as it is.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId),
    security(("bearer" = ["manage"])),
    responses(
        (status = 200, description = "A rebuild is under way.", body = Reconcile),
        (status = 202, description = "The rebuild is queued.", body = Reconcile),
        (status = 409, description = "The store is there and can be used (`conflict`), another reconcile is under way (`conflict`, with its `reconcile_id`), the key does not work (`openai_key_rejected`), or the knowledge base is being made or deleted."),
    ),
)]
#[post("/v1/knowledge-bases/{id}/rebuild")]
async fn rebuild_store(
    app: web::Data<App>,
    caller: Require<Manage>,
    id: web::Path<KnowledgeBaseId>,
) -> Result<HttpResponse, Problem> {
    let row = knowledge_bases::found(&app, caller.workspace_id, *id).await?;
    let blocked = row.status == KnowledgeBaseStatus::Blocked;
    if let Some(problem) = not_active(&row).filter(|_| !blocked) {
        return Err(problem);
    }
    let (kind, trigger) = (ReconcileKind::Rebuild, ReconcileTrigger::Manual);
    let wanted = store::queued(&row, kind, trigger, false, app.clock.now());
    if let Some(open) = store::open(app.db.read(), row.id).await? {
        return requested(&app, store::beside(open, &wanted)).await;
    }
    if !knowledge_bases::is_lost(&app, &row).await? {
        const DETAIL: &str = "The vector store is there; reconcile it instead.";
        return Err(Problem::new(Kind::Conflict, DETAIL));
    }
    tracing::info!(knowledge_base.id = %row.id, workspace.id = %row.workspace_id, "a store is rebuilt");
    requested(&app, store::request(&app.db, wanted).await?).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListPart {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the reconciles and rebuilds of a knowledge base.
///
/// Newest first; they are kept for 30 days.
#[utoipa::path(
    tag = "knowledge bases",
    params(KnowledgeBaseId, ListPart),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of reconciles.", body = Page<Reconcile>)),
)]
#[get("/v1/knowledge-bases/{id}/reconciles")]
async fn list_reconciles(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<KnowledgeBaseId>,
    Query(query): Query<ListPart>,
) -> Result<Json<Page<Reconcile>>, Problem> {
    let paging = Paging::<ReconcileId>::parse(query.limit, query.cursor.as_deref())?;
    let knowledge_base = knowledge_bases::found(&app, caller.workspace_id, *id).await?;
    let rows = store::list(app.db.read(), knowledge_base.id, paging.after, paging.rows()).await?;
    let ids: Vec<ReconcileId> = rows.iter().map(|row| row.id).collect();
    let tallies = store::tally(app.db.read(), &ids).await?;
    Ok(Json(paging.page(rows, |row| row.id, |row| Reconcile::of(row, &tallies))?))
}

/// Shows a reconcile or rebuild.
///
/// While it runs, `step`, `done`, `total` and `findings` tell how far it is.
#[utoipa::path(
    tag = "knowledge bases",
    params(ReconcileId),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The reconcile.", body = Reconcile)),
)]
#[get("/v1/reconciles/{id}")]
async fn show_reconcile(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<ReconcileId>,
) -> Result<Json<Reconcile>, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    Ok(Json(Reconcile::counted(&app, row).await?))
}

/// Lists what a reconcile found.
///
/// One file an item, in the order in which they were found. Files of others are not listed.
#[utoipa::path(
    tag = "knowledge bases",
    params(ReconcileId, ListPart),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of findings.", body = Page<Finding>)),
)]
#[get("/v1/reconciles/{id}/findings")]
async fn list_findings(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<ReconcileId>,
    Query(query): Query<ListPart>,
) -> Result<Json<Page<Finding>>, Problem> {
    let paging = Paging::<FindingId>::parse(query.limit, query.cursor.as_deref())?;
    let reconcile = found(&app, caller.workspace_id, *id).await?;
    let rows = store::findings(app.db.read(), reconcile.id, paging.after, paging.rows()).await?;
    Ok(Json(paging.page(rows, |row| row.id, Finding::from)?))
}

/// Approves the removals that a reconcile held.
///
/// It looks at each of them again and carries out those that are still right.
#[utoipa::path(
    tag = "knowledge bases",
    params(ReconcileId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 202, description = "It goes on.", body = Reconcile),
        (status = 409, description = "It holds nothing, or another reconcile is under way."),
    ),
)]
#[post("/v1/reconciles/{id}/approve")]
async fn approve_reconcile(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<ReconcileId>,
) -> Result<HttpResponse, Problem> {
    let seen = found(&app, caller.workspace_id, *id).await?;
    let Some(row) = store::approve(&app.db, &seen).await? else {
        const DETAIL: &str = "It holds no removals any more, or another reconcile is under way.";
        return Err(Problem::new(Kind::Conflict, DETAIL));
    };
    app.wake.notify_one();
    let location = (LOCATION, format!("/v1/reconciles/{}", row.id));
    Ok(HttpResponse::Accepted().insert_header(location).json(Reconcile::counted(&app, row).await?))
}
