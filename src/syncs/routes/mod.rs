//! Syncs over HTTP.

mod decisions;
mod view;

use actix_web::{HttpResponse, get, http::header::LOCATION, post, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use view::{Change, Sync};

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
        source,
        source::SourceStatus,
        sync::{SyncMode, SyncStatus, SyncTrigger},
    },
    http::{Json, Kind, Page, Paging, Problem, Query},
    ids::{ChangeId, SourceId, SyncId},
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
        .service(decisions::approve_sync)
        .service(decisions::reject_sync);
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
    /// `delta` finds and applies what changed, `full` verifies every page, `plan` finds what changed and applies nothing:
    /// it can be approved.
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
/// In the order in which it was found, one page of the wiki a change. The changes of a plan (outcome `planned`, or `held`
/// if nobody but a person would let them happen) tell what they would cost.
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
