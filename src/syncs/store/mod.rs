//! The statements about syncs and their changes.

mod decisions;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    app::Db,
    entity::{
        Counts, Problem, change, source,
        source::SourceStatus,
        sync::{ActiveModel, Column, Entity, Model, SyncMode, SyncStatus, SyncStep, SyncTrigger},
    },
    ids::{ChangeId, SourceId, SyncId, WorkspaceId},
};

pub use decisions::{Undecidable, approve, approve_plan, holding, holds, reject, reject_plan, rejection};

/// A sync could not be requested or decided on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source is paused, blocked, being deleted or gone.
    #[error("the source is not active")]
    NotActive,
    /// The database refused.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// What became of a request for a sync.
#[derive(Clone, Debug)]
pub enum Requested {
    /// It is the one next sync of its source.
    Queued(Model),
    /// A sync that has not looked yet will see what this one would have seen.
    Existing(Model),
}

impl Requested {
    /// The sync that answers the request.
    #[must_use]
    pub fn into_sync(self) -> Model {
        match self {
            Self::Queued(sync) | Self::Existing(sync) => sync,
        }
    }
}

/// A sync that waits for its turn.
#[must_use]
pub fn queued(
    workspace_id: WorkspaceId,
    source_id: SourceId,
    mode: SyncMode,
    trigger: SyncTrigger,
    now: DateTime<Utc>,
) -> Model {
    Model {
        id: SyncId::new(),
        workspace_id,
        source_id,
        trigger,
        mode,
        status: SyncStatus::Queued,
        step: SyncStep::Queued,
        done: 0,
        total: None,
        counts: Counts::default(),
        problem: None,
        cancel_requested: false,
        not_before: None,
        observed_at: None,
        plan: None,
        applies: None,
        created_at: now,
        started_at: None,
        finished_at: None,
    }
}

/// Makes an active source due now with a sync of this mode; see [`request_in`].
pub async fn request(
    db: &Db,
    source_id: SourceId,
    mode: SyncMode,
    trigger: SyncTrigger,
    now: DateTime<Utc>,
) -> Result<Requested, Error> {
    let transaction = db.begin().await?;
    let requested = request_in(&transaction, source_id, mode, trigger, now).await?;
    transaction.commit().await?;
    Ok(requested)
}

/// Requests a sync within the caller's transaction. It is answered with an existing one only if that is of the same
/// mode and has not observed yet; a queued one of another mode makes way for it. A change of selections is never
/// answered with a running one, which may have read the selections already, nor does it displace a full sync.
pub async fn request_in(
    db: &impl ConnectionTrait,
    source_id: SourceId,
    mode: SyncMode,
    trigger: SyncTrigger,
    now: DateTime<Utc>,
) -> Result<Requested, Error> {
    let source = lock_active(db, source_id).await?;
    let due = source::ActiveModel { next_sync_at: Set(now), ..Default::default() };
    source::Entity::update_many().set(due).filter(source::Column::Id.eq(source_id)).exec(db).await?;
    enqueue(db, queued(source.workspace_id, source.id, mode, trigger, now), now).await
}

/// Touches the source's row: whoever claims or finishes its syncs is in line with the caller's transaction from now on.
async fn lock(db: &impl ConnectionTrait, id: SourceId) -> Result<Option<source::Model>, DbErr> {
    source::Entity::update_many()
        .col_expr(source::Column::NextSyncAt, Expr::col(source::Column::NextSyncAt))
        .filter(source::Column::Id.eq(id))
        .exec(db)
        .await?;
    source::Entity::find_by_id(id).one(db).await
}

/// The same for a source that shall be worked on.
async fn lock_active(db: &impl ConnectionTrait, id: SourceId) -> Result<source::Model, Error> {
    let source = lock(db, id).await?;
    source.filter(|source| source.status == SourceStatus::Active).ok_or(Error::NotActive)
}

/// Makes a sync the one next of its source, unless there is one that answers it.
async fn enqueue(db: &impl ConnectionTrait, next: Model, now: DateTime<Utc>) -> Result<Requested, Error> {
    let open = open(db, &[next.source_id]).await?;
    if let Some(sync) = open.iter().find(|sync| answers(sync, &next)) {
        return Ok(Requested::Existing(sync.clone()));
    }
    if let Some(displaced) = open.iter().find(|sync| sync.status == SyncStatus::Queued) {
        let by = Problem::new(
            "superseded",
            format!("{} was requested and is queued instead.", next.id),
            "Follow that sync.",
        );
        cancel_where(db, Column::Id.eq(displaced.id), Some(by), now).await?;
    }
    Entity::insert(next.clone().into_active_model()).exec_without_returning(db).await?;
    Ok(Requested::Queued(next))
}

fn answers(sync: &Model, next: &Model) -> bool {
    if sync.applies != next.applies {
        return false;
    }
    match (sync.status, next.trigger) {
        (SyncStatus::Queued, SyncTrigger::Selection) => sync.mode != SyncMode::Plan,
        (SyncStatus::Queued, _) => sync.mode == next.mode,
        (_, SyncTrigger::Selection) => false,
        _ => sync.mode == next.mode && sync.observed_at.is_none() && !sync.cancel_requested,
    }
}

/// The queued and running syncs of these sources.
pub async fn open(db: &impl ConnectionTrait, ids: &[SourceId]) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::SourceId.is_in(ids.iter().copied()))
        .filter(Column::Status.is_in([SyncStatus::Queued, SyncStatus::Running]))
        .all(db)
        .await
}

/// Cancels what is queued or running for sources that are being deleted. Call it within their transaction.
pub async fn cancel_open(
    db: &impl ConnectionTrait,
    ids: &[SourceId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    cancel_where(db, Column::SourceId.is_in(ids.iter().copied()), None, now).await
}

async fn cancel_where(
    db: &impl ConnectionTrait,
    which: impl Into<Condition>,
    problem: Option<Problem>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let cancelled = ActiveModel {
        status: Set(SyncStatus::Cancelled),
        step: Set(SyncStep::Done),
        problem: Set(problem),
        finished_at: Set(Some(now)),
        ..Default::default()
    };
    Entity::update_many()
        .set(cancelled)
        .filter(which.into())
        .filter(Column::Status.is_in([SyncStatus::Queued, SyncStatus::Running]))
        .exec(db)
        .await?;
    Ok(())
}

/// One sync of a workspace.
pub async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: SyncId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await
}

/// The syncs of a workspace, newest first.
pub async fn list(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    source_id: Option<SourceId>,
    status: Option<SyncStatus>,
    before: Option<SyncId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let filter = Condition::all()
        .add(Column::WorkspaceId.eq(workspace_id))
        .add_option(source_id.map(|id| Column::SourceId.eq(id)))
        .add_option(status.map(|status| Column::Status.eq(status)))
        .add_option(before.map(|before| Column::Id.lt(before)));
    Entity::find().filter(filter).order_by_desc(Column::Id).limit(limit).all(db).await
}

/// What a sync did or would do, in the order it was found.
pub async fn changes(
    db: &impl ConnectionTrait,
    sync_id: SyncId,
    after: Option<ChangeId>,
    limit: u64,
) -> Result<Vec<change::Model>, DbErr> {
    let filter = Condition::all()
        .add(change::Column::SyncId.eq(sync_id))
        .add_option(after.map(|after| change::Column::Id.gt(after)));
    change::Entity::find().filter(filter).order_by_asc(change::Column::Id).limit(limit).all(db).await
}

/// Cancels a sync: at once if nobody works on it, else by asking the run to stop. `None` if it was finished already.
pub async fn cancel(db: &Db, seen: &Model, now: DateTime<Utc>) -> Result<Option<Model>, DbErr> {
    let transaction = db.begin().await?;
    let touched = source::Entity::update_many()
        .filter(source::Column::Id.eq(seen.source_id))
        .filter(
            Condition::any()
                .add(source::Column::LeaseUntil.is_null())
                .add(source::Column::LeaseUntil.lte(now)),
        )
        .col_expr(source::Column::Fence, Expr::col(source::Column::Fence).add(1))
        .exec(&transaction)
        .await?;
    let sync = Entity::find_by_id(seen.id).one(&transaction).await?;
    let Some(sync) = sync.filter(|sync| matches!(sync.status, SyncStatus::Queued | SyncStatus::Running))
    else {
        return Ok(None);
    };
    if sync.status == SyncStatus::Queued || touched.rows_affected == 1 {
        cancel_where(&transaction, Column::Id.eq(sync.id), None, now).await?;
    } else {
        let asked = Entity::update_many().col_expr(Column::CancelRequested, Expr::value(true));
        asked.filter(Column::Id.eq(sync.id)).exec(&transaction).await?;
    }
    let cancelled = Entity::find_by_id(sync.id).one(&transaction).await?;
    transaction.commit().await?;
    Ok(cancelled)
}
