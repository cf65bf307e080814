//! Deciding on syncs: on removals that one held, and on plans.

use actix_web::{HttpResponse, post, web};
use chrono::DateTime;

use super::{requested, view::Sync};
use crate::{
    app::App,
    auth::{Require, extract::Sync as MaySync},
    entity::{
        Cost, Counts,
        sync::{Model, Plan, SyncMode, SyncStatus, SyncStep, SyncTrigger},
    },
    http::{Json, Kind, Problem},
    ids::{SourceId, SyncId, WorkspaceId},
    sources,
    syncs::{
        found,
        store::{self, Undecidable},
    },
};

impl From<Undecidable> for Problem {
    fn from(why: Undecidable) -> Self {
        let conflict = |detail: &'static str| Self::new(Kind::Conflict, detail);
        let stale = |detail: &'static str| Self::new(Kind::PlanStale, detail);
        match why {
            Undecidable::NotMade => conflict("There is no plan: it is still being made, or was cancelled."),
            Undecidable::Rejected => conflict("The plan was rejected; ask for a new one."),
            Undecidable::Approved(by) => {
                let detail = format!("The plan was approved: {by} applies it, or has done so.");
                Self::new(Kind::Conflict, detail).with("sync_id", by.to_string())
            }
            Undecidable::TooOld => stale("The plan is older than 24 hours; ask for a new one."),
            Undecidable::SelectionsChanged => {
                stale("The selections were changed after the plan was made; ask for a new one.")
            }
        }
    }
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

/// Approves a plan, or the removals that a sync held.
///
/// **A plan** (status `planned`) is looked at again and applied by the sync that is answered. That sync does nothing but
/// what was planned and is still true: for each page the same kind of change, as the wiki says it then (an edited page
/// comes in with its newest text), and a removal only for the same reason, proven anew. Approving is a person's
/// decision: what the guard would hold leaves, too. Whatever happened in the wiki since is left to the source's next
/// interval, which the approval does not put off. If applying takes longer than that interval, the sync goes on as
/// an ordinary one. A plan can be approved for 24 hours, unless the selections change; approving it again is answered
/// with the same sync until that is finished. If that sync was cancelled, the plan can be approved anew.
///
/// **Removals that are held**: the sync that is answered looks at each of them again and removes those of which the
/// evidence is still true. Approve the `sync_id` of the source's `held_plan`: once there is more to decide on, it is
/// another.
#[utoipa::path(
    tag = "syncs",
    params(SyncId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "A sync that has not looked yet, or is not finished with the plan, applies them.", body = Sync),
        (status = 202, description = "The sync that applies them is queued.", body = Sync, example = json!(examples().map(|(applying, _)| applying))),
        (status = 409, description = "The plan is too old or was made for other selections (`plan_stale`); it was rejected, cancelled, or approved before (`conflict`, with the `sync_id` of the sync that applied it); the sync does not hold what waits for a decision (`conflict`, with the `sync_id` of the one that does, if any); or the source is paused, blocked or being deleted."),
    ),
)]
#[post("/v1/syncs/{id}/approve")]
pub async fn approve_sync(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<SyncId>,
) -> Result<HttpResponse, Problem> {
    let sync = found(&app, caller.workspace_id, *id).await?;
    let source = sources::found(&app, caller.workspace_id, sync.source_id).await?;
    let now = app.clock.now();
    if sync.mode == SyncMode::Plan {
        let approved = match store::approve_plan(&app.db, &sync, now).await {
            Ok(decided) => Ok(decided?),
            Err(error) => Err(error),
        };
        return requested(&app, &source, approved);
    }
    match store::approve(&app.db, &sync, now).await.transpose() {
        Some(approved) => requested(&app, &source, approved),
        None => Err(not_holding(&app, source.id).await?),
    }
}

/// Rejects a plan, or the removals that a sync held.
///
/// **A plan** is cancelled with the problem `rejected` and cannot be approved any more. That decides nothing about the
/// wiki: the source's next interval brings in what changed.
///
/// **Removals that are held**: the documents stay in the vector store until there is more to remove; then all of it is
/// held for a new decision.
#[utoipa::path(
    tag = "syncs",
    params(SyncId),
    security(("bearer" = ["sync"])),
    responses(
        (status = 200, description = "The plan is closed, or the documents stay.", body = Sync, example = json!(examples().map(|(_, rejected)| rejected))),
        (status = 409, description = "The plan is not made, or was approved (with the `sync_id` of the sync that applies it); or the sync does not hold what waits for a decision (with the `sync_id` of the one that does, if any)."),
    ),
)]
#[post("/v1/syncs/{id}/reject")]
pub async fn reject_sync(
    app: web::Data<App>,
    caller: Require<MaySync>,
    id: web::Path<SyncId>,
) -> Result<Json<Sync>, Problem> {
    let now = app.clock.now();
    let sync = found(&app, caller.workspace_id, *id).await?;
    if sync.mode == SyncMode::Plan {
        let rejected = store::reject_plan(&app.db, &sync).await??;
        return Ok(Json(Sync::of(rejected, now)));
    }
    if !store::reject(&app.db, &sync, now).await? {
        return Err(not_holding(&app, sync.source_id).await?);
    }
    Ok(Json(Sync::of(sync, now)))
}

/// Examples for the document: a sync that applies a plan, and a plan that was rejected.
fn examples() -> Option<(Sync, Sync)> {
    let now = DateTime::from_timestamp(1_772_442_003, 0)?;
    let plan = "syn_019ab2c4d5e67f8091a2b3c4d5e6f708".parse().ok()?;
    let source = "src_019ab2c4d5e67f8091a2b3c4d5e6f708".parse().ok()?;
    let queued = Model {
        id: "syn_019ab2c4d5e67f8091a2b3c4d5e6f709".parse().ok()?,
        applies: Some(plan),
        ..store::queued(WorkspaceId::new(), source, SyncMode::Delta, SyncTrigger::Manual, now)
    };
    let cost = Cost { bytes: 4310, unmeasured: 1, confluence_calls: 1, openai_calls: 9, points: 3 };
    let rejected = Model {
        id: plan,
        mode: SyncMode::Plan,
        status: SyncStatus::Cancelled,
        step: SyncStep::Done,
        total: Some(4),
        counts: Counts { created: 1, updated: 1, metadata: 1, removed: 1, ..Counts::default() },
        problem: Some(store::rejection()),
        observed_at: Some(now),
        plan: Some(Plan { selections_revision: 1, account_id: None, cost, applied_by: None }),
        applies: None,
        started_at: Some(now),
        finished_at: Some(now),
        ..queued.clone()
    };
    Some((Sync::of(queued, now), Sync::of(rejected, now)))
}
