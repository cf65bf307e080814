//! What people decide on: removals that are held, and plans.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};

use super::{Error, Requested, enqueue, lock, lock_active, queued, request_in};
use crate::{
    app::Db,
    entity::{
        Problem, held_removal, hold, source,
        sync::{ActiveModel, Column, Entity, Model, Plan, SyncMode, SyncStatus, SyncTrigger},
    },
    ids::{SourceId, SyncId},
    sources::store::Held,
};

/// How long after it was made a plan can be approved.
const PLAN_LASTS: TimeDelta = TimeDelta::hours(24);
/// The problem of a plan that a person rejected.
const REJECTED: &str = "rejected";

/// Why a plan cannot be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecidable {
    /// It is still being made, was cancelled or failed.
    NotMade,
    /// A person rejected it.
    Rejected,
    /// A person approved it: this sync applies it, or has done so.
    Approved(SyncId),
    /// It was made too long ago.
    TooOld,
    /// The selections of the source were changed since.
    SelectionsChanged,
}

/// The holds of these sources, with how many removals each has.
pub async fn holds(db: &impl ConnectionTrait, ids: &[SourceId]) -> Result<Vec<Held>, DbErr> {
    let holds =
        hold::Entity::find().filter(hold::Column::SourceId.is_in(ids.iter().copied())).all(db).await?;
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let counted: Vec<(SourceId, i64)> = held_removal::Entity::find()
        .select_only()
        .column(held_removal::Column::SourceId)
        .column_as(held_removal::Column::DocumentId.count(), "count")
        .filter(held_removal::Column::SourceId.is_in(holds.iter().map(|hold| hold.source_id)))
        .filter(held_removal::Column::Approved.eq(false))
        .group_by(held_removal::Column::SourceId)
        .into_tuple()
        .all(db)
        .await?;
    let removals = |id| counted.iter().find(|(of, _)| *of == id).map_or(0, |(_, count)| count.unsigned_abs());
    Ok(holds.into_iter().map(|hold| Held { removals: removals(hold.source_id), hold }).collect())
}

/// Approves what a sync holds and requests the sync that looks again and applies it. `None` if it holds nothing, or not
/// what its source holds now.
pub async fn approve(db: &Db, seen: &Model, now: DateTime<Utc>) -> Result<Option<Requested>, Error> {
    let transaction = db.begin().await?;
    let requested =
        request_in(&transaction, seen.source_id, SyncMode::Delta, SyncTrigger::Manual, now).await?;
    if !decide(&transaction, seen, true, now).await? {
        return Ok(None);
    }
    transaction.commit().await?;
    Ok(Some(requested))
}

/// Keeps what a sync holds in the store until the set changes. False if it holds nothing, or not what its source holds
/// now.
pub async fn reject(db: &Db, seen: &Model, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let transaction = db.begin().await?;
    let decided = decide(&transaction, seen, false, now).await?;
    transaction.commit().await?;
    Ok(decided)
}

/// The sync that found what a source holds.
pub async fn holding(db: &impl ConnectionTrait, source_id: SourceId) -> Result<Option<SyncId>, DbErr> {
    Ok(hold::Entity::find_by_id(source_id).one(db).await?.map(|hold| hold.sync_id))
}

async fn decide(
    db: &impl ConnectionTrait,
    seen: &Model,
    approved: bool,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let decision = hold::ActiveModel { rejected: Set(!approved), updated_at: Set(now), ..Default::default() };
    let decided = hold::Entity::update_many()
        .set(decision)
        .filter(hold::Column::SourceId.eq(seen.source_id))
        // Meanwhile there may be more than the person saw; that is another sync's.
        .filter(hold::Column::SyncId.eq(seen.id))
        .exec(db)
        .await?;
    if decided.rows_affected == 0 {
        return Ok(false);
    }
    held_removal::Entity::update_many()
        .col_expr(held_removal::Column::Approved, Expr::value(approved))
        .filter(held_removal::Column::SourceId.eq(seen.source_id))
        .exec(db)
        .await?;
    let hold = hold::Entity::find_by_id(seen.source_id).one(db).await?;
    // Whoever approves what another account does not see has accepted that account.
    if let Some(account) = hold.and_then(|hold| hold.account_id).filter(|_| approved) {
        source::Entity::update_many()
            .col_expr(source::Column::AccountId, Expr::value(account))
            .filter(source::Column::Id.eq(seen.source_id))
            .exec(db)
            .await?;
    }
    Ok(true)
}

/// Approves a plan: requests the sync that looks again and does what is still true of it. Answered with that sync as
/// long as it is not finished; if it was cancelled, with a new one.
pub async fn approve_plan(
    db: &Db,
    seen: &Model,
    now: DateTime<Utc>,
) -> Result<Result<Requested, Undecidable>, Error> {
    let transaction = db.begin().await?;
    let source = lock_active(&transaction, seen.source_id).await?;
    let (row, plan) = match planned(&transaction, seen.id).await? {
        Ok(planned) => planned,
        Err(why) => return Ok(Err(why)),
    };
    if let Some(applying) = applying(&transaction, &plan).await? {
        let is_open = matches!(applying.status, SyncStatus::Queued | SyncStatus::Running);
        let approved = Undecidable::Approved(applying.id);
        return Ok(if is_open { Ok(Requested::Existing(applying)) } else { Err(approved) });
    }
    if plan.selections_revision != source.selections_revision {
        return Ok(Err(Undecidable::SelectionsChanged));
    }
    if now - row.finished_at.unwrap_or(row.created_at) > PLAN_LASTS {
        return Ok(Err(Undecidable::TooOld));
    }
    let (mode, trigger) = (SyncMode::Delta, SyncTrigger::Manual);
    let next = Model { applies: Some(row.id), ..queued(source.workspace_id, source.id, mode, trigger, now) };
    let plan = Plan { applied_by: Some(next.id), ..plan };
    let requested = enqueue(&transaction, next, now).await?;
    let approved = ActiveModel { plan: Set(Some(plan)), ..Default::default() };
    Entity::update_many().set(approved).filter(Column::Id.eq(row.id)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(Ok(requested))
}

/// Rejects a plan: it cannot be approved any more. Doing so again changes nothing.
pub async fn reject_plan(db: &Db, seen: &Model) -> Result<Result<Model, Undecidable>, DbErr> {
    let transaction = db.begin().await?;
    lock(&transaction, seen.source_id).await?;
    let (row, plan) = match planned(&transaction, seen.id).await? {
        Ok(planned) => planned,
        Err(Undecidable::Rejected) => return Ok(Ok(seen.clone())),
        Err(why) => return Ok(Err(why)),
    };
    if let Some(applying) = applying(&transaction, &plan).await? {
        return Ok(Err(Undecidable::Approved(applying.id)));
    }
    let problem = rejection();
    let rejected = ActiveModel {
        status: Set(SyncStatus::Cancelled),
        problem: Set(Some(problem.clone())),
        ..Default::default()
    };
    Entity::update_many().set(rejected).filter(Column::Id.eq(row.id)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(Ok(Model { status: SyncStatus::Cancelled, problem: Some(problem), ..row }))
}

/// What a rejected plan says of itself.
#[must_use]
pub fn rejection() -> Problem {
    Problem::new(REJECTED, "Somebody rejected the plan.", "Ask for a new plan.")
}

/// A plan that is made and was not rejected.
async fn planned(db: &impl ConnectionTrait, id: SyncId) -> Result<Result<(Model, Plan), Undecidable>, DbErr> {
    let Some(row) = Entity::find_by_id(id).one(db).await? else { return Ok(Err(Undecidable::NotMade)) };
    let is_rejected = row.problem.as_ref().is_some_and(|problem| problem.code == REJECTED);
    Ok(match row.plan.clone() {
        Some(plan) if row.status == SyncStatus::Planned => Ok((row, plan)),
        _ if is_rejected => Err(Undecidable::Rejected),
        _ => Err(Undecidable::NotMade),
    })
}

/// The sync that applies a plan, unless it was cancelled.
async fn applying(db: &impl ConnectionTrait, plan: &Plan) -> Result<Option<Model>, DbErr> {
    let Some(id) = plan.applied_by else { return Ok(None) };
    let row = Entity::find_by_id(id).one(db).await?;
    Ok(row.filter(|sync| sync.status != SyncStatus::Cancelled))
}
