//! Syncs and runs: what is due, claiming it, its progress and its end.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

use super::lease::Lease;
use crate::{
    app::Db,
    entity::{
        Counts, Problem, knowledge_base, replica, run,
        source::{self, SourceStatus},
        sync::{self, SyncMode, SyncStatus, SyncStep, SyncTrigger},
    },
    ids::{KnowledgeBaseId, ReplicaId, RunId, SourceId, SyncId},
    syncs::store::queued,
};

/// A sync that this process may work on now.
#[derive(Debug)]
pub struct Claim {
    /// Proof of it.
    pub lease: Lease,
    /// The source as it was when the lease was taken.
    pub source: source::Model,
    /// The sync, now running.
    pub sync: sync::Model,
    /// This time on it.
    pub run: RunId,
    /// Whether it is time to observe: at a sync's first run, and once an interval while it goes on.
    pub observes: bool,
    /// When the source is due again.
    pub next_sync_at: DateTime<Utc>,
}

/// Queues an interval sync for every active source whose time has come and that has none under way; answers how many.
pub async fn queue_due(db: &Db, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let under_way = Query::select()
        .column(sync::Column::SourceId)
        .from(sync::Entity)
        .and_where(sync::Column::Status.is_in([SyncStatus::Queued, SyncStatus::Running]))
        .take();
    let due = source::Entity::find()
        .filter(source::Column::Status.eq(SourceStatus::Active))
        .filter(source::Column::NextSyncAt.lte(now))
        .filter(source::Column::Id.not_in_subquery(under_way))
        .order_by_asc(source::Column::NextSyncAt)
        .limit(500)
        .all(db.read())
        .await?;
    let (mode, trigger) = (SyncMode::Delta, SyncTrigger::Interval);
    let rows = due
        .iter()
        .map(|source| queued(source.workspace_id, source.id, mode, trigger, now).into_active_model());
    if due.is_empty() {
        return Ok(0);
    }
    let insert = sync::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
    insert.exec_without_returning(db.write()).await
}

/// Takes one sync that is due and whose source nobody works on: a running one before a queued one.
pub async fn claim(
    db: &Db,
    holder: ReplicaId,
    length: Duration,
    skip: &[SourceId],
    now: DateTime<Utc>,
) -> Result<Option<Claim>, DbErr> {
    let tx = db.begin().await?;
    let candidates = claimable(now).add(source::Column::Id.is_not_in(skip.iter().copied()));
    let Some((lease, source)) = Lease::take(&tx, candidates, holder, length, now).await? else {
        return Ok(None);
    };
    let open = sync::Entity::find()
        .filter(sync::Column::SourceId.eq(source.id))
        .filter(sync::Column::Status.is_in([SyncStatus::Running, SyncStatus::Queued]))
        .order_by_asc(sync::Column::Id)
        .all(&tx)
        .await?;
    let running = open.iter().position(|sync| sync.status == SyncStatus::Running);
    let Some(mut sync) = open.into_iter().nth(running.unwrap_or(0)) else { return Ok(None) };
    let observes = sync.observed_at.is_none() || source.next_sync_at <= now;
    let next_sync_at = if observes { next_interval(&source, &sync, now) } else { source.next_sync_at };
    // What applies a plan leaves aside whatever is new: that is not to wait any longer for it.
    if sync.applies.is_none() || sync.observed_at.is_some() {
        source::Entity::update_many()
            .col_expr(source::Column::NextSyncAt, Expr::value(next_sync_at))
            .filter(source::Column::Id.eq(source.id))
            .exec(&tx)
            .await?;
    }
    sync.status = SyncStatus::Running;
    sync.started_at = sync.started_at.or(Some(now));
    sync::Entity::update_many()
        .col_expr(sync::Column::Status, Expr::value(sync.status))
        .col_expr(sync::Column::StartedAt, Expr::value(sync.started_at))
        .filter(sync::Column::Id.eq(sync.id))
        .exec(&tx)
        .await?;
    let run = RunId::new();
    run::Entity::insert(run::ActiveModel {
        id: Set(run),
        sync_id: Set(sync.id),
        replica_id: Set(holder),
        fence: Set(lease.fence),
        outcome: Set(None),
        report: Set(None),
        started_at: Set(now),
        ended_at: Set(None),
    })
    .exec_without_returning(&tx)
    .await?;
    tx.commit().await?;
    Ok(Some(Claim { lease, source, sync, run, observes, next_sync_at }))
}

/// Whether a source other than this has work that could begin now, and nobody at it.
pub async fn any_waits(
    db: &impl ConnectionTrait,
    beside: SourceId,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let row = source::Entity::find()
        .filter(source::Column::Id.ne(beside))
        .filter(claimable(now))
        .filter(Lease::is_free(now))
        .limit(1)
        .one(db)
        .await?;
    Ok(row.is_some())
}

/// Sources that may be synced and have a sync that may go on now.
fn claimable(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(source::Column::Status.eq(SourceStatus::Active))
        .add(source::Column::Id.in_subquery(due(now)))
}

/// When a source that is observed now is due again. A plan puts that off, so that there is time to look at it, but however
/// many plans are made in a row, by one interval at the most.
fn next_interval(source: &source::Model, sync: &sync::Model, now: DateTime<Utc>) -> DateTime<Utc> {
    let interval = TimeDelta::seconds(source.interval_seconds.into());
    let latest = source.last_checked_at.filter(|_| sync.mode == SyncMode::Plan);
    latest.map_or(now + interval, |checked| std::cmp::min(now + interval, checked + interval * 2))
}

/// Sources with a sync that may go on now. While one is running but has to wait, a queued one waits with it.
fn due(now: DateTime<Utc>) -> sea_orm::sea_query::SelectStatement {
    let may_go =
        Condition::any().add(sync::Column::NotBefore.is_null()).add(sync::Column::NotBefore.lte(now));
    let waiting = Query::select()
        .column(sync::Column::SourceId)
        .from(sync::Entity)
        .and_where(sync::Column::Status.eq(SyncStatus::Running))
        .and_where(sync::Column::NotBefore.gt(now))
        .take();
    Query::select()
        .column(sync::Column::SourceId)
        .from(sync::Entity)
        .and_where(sync::Column::Status.is_in([SyncStatus::Queued, SyncStatus::Running]))
        .cond_where(may_go)
        .and_where(sync::Column::SourceId.not_in_subquery(waiting))
        .take()
}

/// How far a sync has come: what its row shows while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What it is at.
    pub step: SyncStep,
    /// Changes carried out.
    pub done: i64,
    /// Changes known to be wanted.
    pub total: Option<i64>,
    /// What came of them.
    pub counts: Counts,
}

/// Writes how far a sync has come, with the rest of a group of results.
pub async fn record_progress(
    db: &impl ConnectionTrait,
    sync: SyncId,
    progress: Progress,
) -> Result<(), DbErr> {
    sync::Entity::update_many()
        .col_expr(sync::Column::Step, Expr::value(progress.step))
        .col_expr(sync::Column::Done, Expr::value(progress.done))
        .col_expr(sync::Column::Total, Expr::value(progress.total))
        .col_expr(sync::Column::Counts, Expr::value(serde_json::json!(progress.counts)))
        .filter(sync::Column::Id.eq(sync))
        .exec(db)
        .await?;
    Ok(())
}

/// Notes that everything there was to see has been seen and persisted, and what a plan came to.
pub async fn mark_observed(
    db: &impl ConnectionTrait,
    sync: SyncId,
    plan: Option<sync::Plan>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    sync::Entity::update_many()
        .set(sync::ActiveModel { observed_at: Set(Some(now)), plan: Set(plan), ..Default::default() })
        .filter(sync::Column::Id.eq(sync))
        .exec(db)
        .await?;
    Ok(())
}

/// Whether a person asked the sync to stop.
pub async fn is_cancelled(db: &impl ConnectionTrait, sync: SyncId) -> Result<bool, DbErr> {
    let row = sync::Entity::find_by_id(sync).one(db).await?;
    Ok(row.is_none_or(|sync| sync.cancel_requested))
}

/// How a run leaves its sync.
#[derive(Clone, Debug)]
pub struct End {
    /// The sync's status from now on; `Running` if a later run goes on.
    pub status: SyncStatus,
    /// When the next run may begin, if one goes on.
    pub not_before: Option<DateTime<Utc>>,
    /// What a person should know.
    pub problem: Option<Problem>,
    /// Whether the sync found nothing to do, so that it need not be kept.
    pub forget: bool,
}

/// Ends a run: its sync rests, goes on later or is finished, and the lease is given back.
pub async fn end(
    db: &Db,
    claim: &Claim,
    end: &End,
    progress: Progress,
    now: DateTime<Utc>,
) -> Result<(), super::Error> {
    let tx = claim.lease.begin(db).await?;
    let goes_on = end.status == SyncStatus::Running;
    if end.forget {
        sync::Entity::delete_by_id(claim.sync.id).exec(&tx).await?;
    } else {
        record_progress(&tx, claim.sync.id, progress).await?;
        sync::Entity::update_many()
            .col_expr(sync::Column::Status, Expr::value(end.status))
            .col_expr(sync::Column::NotBefore, Expr::value(end.not_before))
            .col_expr(
                sync::Column::Problem,
                Expr::value(end.problem.as_ref().map(|problem| serde_json::json!(problem))),
            )
            .col_expr(sync::Column::FinishedAt, Expr::value((!goes_on).then_some(now)))
            .filter(sync::Column::Id.eq(claim.sync.id))
            .exec(&tx)
            .await?;
        // A sync that has to wait may be waiting for weeks: runs that got nowhere are not kept.
        if goes_on && (progress.done, progress.counts) == (claim.sync.done, claim.sync.counts) {
            run::Entity::delete_by_id(claim.run).exec(&tx).await?;
        }
        run::Entity::update_many()
            .col_expr(run::Column::EndedAt, Expr::value(now))
            .col_expr(run::Column::Report, Expr::value(Some(serde_json::json!(progress.counts))))
            .col_expr(
                run::Column::Outcome,
                Expr::value(Some(if goes_on { "goes_on" } else { "finished" }.to_owned())),
            )
            .filter(run::Column::Id.eq(claim.run))
            .exec(&tx)
            .await?;
    }
    let mut update = source::Entity::update_many()
        .col_expr(source::Column::LeaseUntil, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(source::Column::LeaseHolder, Expr::value(Option::<ReplicaId>::None))
        .col_expr(
            source::Column::Problem,
            Expr::value(end.problem.as_ref().map(|problem| serde_json::json!(problem))),
        );
    if !goes_on && !end.forget {
        update = update.col_expr(source::Column::LastSyncId, Expr::value(Some(claim.sync.id)));
    }
    update.filter(source::Column::Id.eq(claim.source.id)).exec(&tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes that everything a source watches was looked at now.
pub async fn checked(db: &impl ConnectionTrait, source: SourceId, now: DateTime<Utc>) -> Result<(), DbErr> {
    source::Entity::update_many()
        .col_expr(source::Column::LastCheckedAt, Expr::value(now))
        .filter(source::Column::Id.eq(source))
        .exec(db)
        .await?;
    Ok(())
}

/// How many sources are being kept true.
pub async fn active_sources(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let count: Option<i64> = source::Entity::find()
        .select_only()
        .expr_as(Expr::col(source::Column::Id).count(), "active")
        .filter(source::Column::Status.eq(source::SourceStatus::Active))
        .into_tuple()
        .one(db)
        .await?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// How many other syncs rest between two runs: most of them for points.
pub async fn waiting_beside(db: &impl ConnectionTrait, sync: SyncId) -> Result<u64, DbErr> {
    let count: Option<i64> = sync::Entity::find()
        .select_only()
        .expr_as(Expr::col(sync::Column::Id).count(), "waiting")
        .filter(sync::Column::Status.eq(SyncStatus::Running))
        .filter(sync::Column::NotBefore.is_not_null())
        .filter(sync::Column::Id.ne(sync))
        .into_tuple()
        .one(db)
        .await?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// A knowledge base that a source refers to.
pub async fn knowledge_base(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
) -> Result<knowledge_base::Model, DbErr> {
    let row = knowledge_base::Entity::find_by_id(id).one(db).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(format!("knowledge base {id}")))
}

/// How many processes ticked since then. On SQLite there is only one.
pub async fn live_replicas(db: &Db, since: DateTime<Utc>) -> Result<u32, DbErr> {
    if db.is_sqlite() {
        return Ok(1);
    }
    let alive =
        replica::Entity::find().filter(replica::Column::LastTickAt.gte(since)).count(db.read()).await?;
    Ok(u32::try_from(alive).unwrap_or(u32::MAX))
}

/// Notes that this process ticked.
pub async fn ticked(db: &Db, replica: ReplicaId, now: DateTime<Utc>) -> Result<(), DbErr> {
    replica::Entity::update_many()
        .col_expr(replica::Column::LastTickAt, Expr::value(now))
        .filter(replica::Column::Id.eq(replica))
        .exec(db.write())
        .await?;
    Ok(())
}
