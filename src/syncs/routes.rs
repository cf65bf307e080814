//! Syncs over HTTP.

use actix_web::{HttpResponse, get, http::header::LOCATION, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
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
        extract::{Read, Sync as MaySync},
    },
    entity::{
        Counts, Evidence, Problem as Trouble, change,
        change::{ChangeKind, ChangeOutcome},
        source,
        source::SourceStatus,
        sync::{Model, SyncMode, SyncStatus, SyncStep, SyncTrigger},
    },
    http::{Json, Kind, Page, Paging, Problem, Query},
    ids::{ChangeId, DocumentId, SourceId, SyncId},
    sources,
};

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(start_sync)
        .service(list_syncs)
        .service(show_sync)
        .service(list_changes)
        .service(cancel_sync)
        .service(approve_sync)
        .service(reject_sync);
}

/// One piece of work on a source, from its trigger to its finish.
#[derive(Debug, Serialize, ToSchema)]
struct Sync {
    id: SyncId,
    source_id: SourceId,
    trigger: SyncTrigger,
    mode: SyncMode,
    status: SyncStatus,
    step: SyncStep,
    /// Changes carried out.
    #[schema(examples(120))]
    done: i64,
    /// Changes known to be wanted; `null` until something is known.
    #[schema(examples(745))]
    total: Option<i64>,
    /// What came of them.
    counts: Counts,
    /// When it will be finished at the speed it has had; `null` unless it is running.
    eta: Option<DateTime<Utc>>,
    /// Whether it was asked to stop and has not yet.
    cancel_requested: bool,
    /// What hinders or hindered it, and what to do about it.
    problem: Option<Trouble>,
    /// It waits until then, because a vendor asked for it.
    not_before: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
}

impl Sync {
    fn of(row: Model, now: DateTime<Utc>) -> Self {
        Self {
            eta: super::eta(&row, now),
            id: row.id,
            source_id: row.source_id,
            trigger: row.trigger,
            mode: row.mode,
            status: row.status,
            step: row.step,
            done: row.done,
            total: row.total,
            counts: row.counts,
            cancel_requested: row.cancel_requested && row.finished_at.is_none(),
            problem: row.problem,
            not_before: row.not_before,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}

/// One page that a sync changed, or would change.
#[derive(Debug, Serialize, ToSchema)]
struct Change {
    id: ChangeId,
    /// Absent if the document is not listed any more, or was only planned.
    document_id: Option<DocumentId>,
    #[schema(examples("98306"))]
    page_id: String,
    #[schema(examples("Annual leave"))]
    title: String,
    kind: ChangeKind,
    outcome: ChangeOutcome,
    /// A stable word for why.
    #[schema(examples("trashed"))]
    reason: Option<String>,
    /// What proves that it must leave, or makes it suspect; given for removals that are held, too.
    evidence: Option<Evidence>,
    created_at: DateTime<Utc>,
}

impl From<change::Model> for Change {
    fn from(row: change::Model) -> Self {
        Self {
            id: row.id,
            document_id: row.document_id,
            page_id: row.page_id,
            title: row.title,
            kind: row.kind,
            outcome: row.outcome,
            reason: row.reason,
            evidence: row.evidence,
            created_at: row.created_at,
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotActive => Self::new(Kind::Conflict, "The source is not active any more."),
            store::Error::Db(error) => error.into(),
        }
    }
}

/// Why nothing can be requested of a source that is not active.
fn not_active(source: &source::Model) -> Problem {
    match source.status {
        SourceStatus::Paused => Problem::new(Kind::Paused, "The source is paused; resume it first."),
        SourceStatus::Deleting => Problem::new(Kind::Deleting, "The source is being deleted."),
        SourceStatus::Blocked => {
            let problem = Problem::new(Kind::Blocked, "The source is blocked; see its problem.");
            match &source.problem {
                Some(trouble) => problem.with("problem", serde_json::json!(trouble)),
                None => problem,
            }
        }
        // It was, a moment ago.
        SourceStatus::Active => store::Error::NotActive.into(),
    }
}

fn requested(
    app: &App,
    source: &source::Model,
    result: Result<Requested, store::Error>,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let (mut response, row) = match result {
        Ok(Requested::Queued(row)) => (HttpResponse::Accepted(), row),
        Ok(Requested::Existing(row)) => (HttpResponse::Ok(), row),
        Err(store::Error::NotActive) => return Err(not_active(source)),
        Err(error) => return Err(error.into()),
    };
    app.wake.notify_one();
    response.insert_header((LOCATION, format!("/v1/syncs/{}", row.id)));
    Ok(response.json(Sync::of(row, now)))
}

/// What kind of sync to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StartSync {
    /// `delta` finds and applies what changed, `full` verifies every page, `plan` finds what changed and applies nothing.
    mode: SyncMode,
}

/// Makes a source due now.
///
/// A sync of the same mode that is queued, or runs and has not looked yet, is answered with 200: it will see what a new
/// one would. Otherwise a new one is queued behind the running one (202). There is at most one queued: one of another
/// mode makes way and is cancelled with the problem `superseded`.
#[utoipa::path(
    tag = "syncs",
    params(SourceId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "A sync that does the same is under way.", body = Sync),
        (status = 202, description = "The sync is queued.", body = Sync),
        (status = 409, description = "The source is paused (`paused`), blocked (`blocked`, with the `problem`) or being deleted (`deleting`)."),
    ),
)]
#[post("/v1/sources/{id}/syncs")]
async fn start_sync(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<SourceId>,
    Json(body): Json<StartSync>,
) -> Result<HttpResponse, Problem> {
    let source = sources::found(&app, caller.workspace_id, *id).await?;
    let result = store::request(&app.db, source.id, body.mode, SyncTrigger::Manual, app.clock.now()).await;
    requested(&app, &source, result)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListSyncs {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only syncs of this source.
    source_id: Option<SourceId>,
    /// Only syncs with this status.
    status: Option<SyncStatus>,
}

/// Lists the syncs of the workspace.
///
/// Newest first. Interval syncs that found nothing to do are not kept: a source's `last_checked_at` tells of them.
#[utoipa::path(
    tag = "syncs",
    params(ListSyncs),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of syncs.", body = Page<Sync>)),
)]
#[get("/v1/syncs")]
async fn list_syncs(
    app: web::Data<App>,
    caller: Require<Read>,
    Query(query): Query<ListSyncs>,
) -> Result<Json<Page<Sync>>, Problem> {
    let paging = Paging::<SyncId>::parse(query.limit, query.cursor.as_deref())?;
    let (workspace_id, before) = (caller.workspace_id, paging.after);
    let rows = store::list(app.db.read(), workspace_id, query.source_id, query.status, before, paging.rows())
        .await?;
    let now = app.clock.now();
    Ok(Json(paging.page(rows, |row| row.id, |row| Sync::of(row, now))?))
}

/// Shows a sync.
///
/// While it runs, `step`, `done`, `total`, `counts` and `eta` tell how far it is.
#[utoipa::path(
    tag = "syncs",
    params(SyncId),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The sync.", body = Sync)),
)]
#[get("/v1/syncs/{id}")]
async fn show_sync(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<SyncId>,
) -> Result<Json<Sync>, Problem> {
    let row = found(&app, caller.workspace_id, *id).await?;
    Ok(Json(Sync::of(row, app.clock.now())))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListChanges {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what a sync did, or would do.
///
/// In the order in which it was found, one page of the wiki a change.
#[utoipa::path(
    tag = "syncs",
    params(SyncId, ListChanges),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "A page of changes.", body = Page<Change>)),
)]
#[get("/v1/syncs/{id}/changes")]
async fn list_changes(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<SyncId>,
    Query(query): Query<ListChanges>,
) -> Result<Json<Page<Change>>, Problem> {
    let paging = Paging::<ChangeId>::parse(query.limit, query.cursor.as_deref())?;
    let sync = found(&app, caller.workspace_id, *id).await?;
    let rows = store::changes(app.db.read(), sync.id, paging.after, paging.rows()).await?;
    Ok(Json(paging.page(rows, |row| row.id, Change::from)?))
}

/// Cancels a sync.
///
/// What it has done stays done; the next sync of the source finds the rest. A run under way stops at its next safe point.
#[utoipa::path(
    tag = "syncs",
    params(SyncId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "It is cancelled.", body = Sync),
        (status = 202, description = "The run was asked to stop.", body = Sync),
        (status = 409, description = "It was finished already."),
    ),
)]
#[post("/v1/syncs/{id}/cancel")]
async fn cancel_sync(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<SyncId>,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let seen = found(&app, caller.workspace_id, *id).await?;
    let cancelled = store::cancel(&app.db, &seen, now).await?;
    let row = cancelled.ok_or_else(|| Problem::new(Kind::Conflict, "The sync was finished already."))?;
    let is_cancelled = row.status == SyncStatus::Cancelled;
    let mut response = if is_cancelled { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    response.insert_header((LOCATION, format!("/v1/syncs/{}", row.id)));
    Ok(response.json(Sync::of(row, now)))
}

/// Why there is nothing to decide on a sync, naming the one that there is, if any.
async fn not_holding(app: &App, source: SourceId) -> Result<Problem, Problem> {
    Ok(match store::holding(app.db.read(), source).await? {
        Some(holding) => {
            let detail = format!("{holding} holds what waits for a decision now; look at its changes.");
            Problem::new(Kind::Conflict, detail).with("sync_id", holding.to_string())
        }
        None => Problem::new(Kind::Conflict, "Nothing is held for a decision."),
    })
}

/// Approves the removals that a sync held.
///
/// The sync that is answered looks at each of them again and removes those of which the evidence is still true. Approve
/// the `sync_id` of the source's `held_plan`: once there is more to decide on, it is another.
#[utoipa::path(
    tag = "syncs",
    params(SyncId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "A sync that has not looked yet applies them.", body = Sync),
        (status = 202, description = "The sync that applies them is queued.", body = Sync),
        (status = 409, description = "The sync does not hold what waits for a decision (with the `sync_id` of the one that does, if any), or the source is paused, blocked or being deleted."),
    ),
)]
#[post("/v1/syncs/{id}/approve")]
async fn approve_sync(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<SyncId>,
) -> Result<HttpResponse, Problem> {
    let sync = found(&app, caller.workspace_id, *id).await?;
    let source = sources::found(&app, caller.workspace_id, sync.source_id).await?;
    match store::approve(&app.db, &sync, app.clock.now()).await.transpose() {
        Some(approved) => requested(&app, &source, approved),
        None => Err(not_holding(&app, source.id).await?),
    }
}

/// Rejects the removals that a sync held.
///
/// The documents stay in the vector store until there is more to remove; then all of it is held for a new decision.
#[utoipa::path(
    tag = "syncs",
    params(SyncId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "The documents stay.", body = Sync),
        (status = 409, description = "The sync does not hold what waits for a decision (with the `sync_id` of the one that does, if any)."),
    ),
)]
#[post("/v1/syncs/{id}/reject")]
async fn reject_sync(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<SyncId>,
) -> Result<Json<Sync>, Problem> {
    let now = app.clock.now();
    let sync = found(&app, caller.workspace_id, *id).await?;
    if !store::reject(&app.db, &sync, now).await? {
        return Err(not_holding(&app, sync.source_id).await?);
    }
    Ok(Json(Sync::of(sync, now)))
}
