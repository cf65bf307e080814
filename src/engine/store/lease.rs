//! The lease of a source: who may sync it, until when, and the fence number that every write of a run repeats.
//!
//! * A source is held by one process at a time; taking it raises the fence.
//! * A write of a process that was overtaken finds another fence number and is refused.
//! * A dead process is noticed when its lease ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, LockBehavior, LockType, NullOrdering, Order},
};

use super::Error;
use crate::{
    app::Db,
    entity::source::{self, SourceStatus},
    ids::{ReplicaId, SourceId},
};

/// Proof that this process may work on a source, as long as the database agrees.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The source.
    pub source: SourceId,
    /// Grows with each holder.
    pub fence: i64,
    holder: ReplicaId,
    until: Arc<AtomicI64>,
}

impl Lease {
    /// Takes the lease of that of `candidates` which nobody holds and which had its last turn longest ago.
    pub(super) async fn take(
        tx: &DatabaseTransaction,
        candidates: Condition,
        holder: ReplicaId,
        length: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<(Self, source::Model)>, DbErr> {
        let mut select = source::Entity::find().filter(candidates).filter(Self::is_free(now));
        if tx.get_database_backend() == sea_orm::DbBackend::Postgres {
            select = select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        let in_turn = select
            .order_by_with_nulls(source::Column::LastRunAt, Order::Asc, NullOrdering::First)
            .order_by_asc(source::Column::NextSyncAt);
        let Some(mut source) = in_turn.limit(1).one(tx).await? else { return Ok(None) };
        let until = now + delta(length);
        source.fence += 1;
        source.lease_holder = Some(holder);
        source.lease_until = Some(until);
        source.last_run_at = Some(now);
        source::Entity::update_many()
            .col_expr(source::Column::Fence, Expr::value(source.fence))
            .col_expr(source::Column::LeaseHolder, Expr::value(holder))
            .col_expr(source::Column::LeaseUntil, Expr::value(until))
            .col_expr(source::Column::LastRunAt, Expr::value(now))
            .filter(source::Column::Id.eq(source.id))
            .exec(tx)
            .await?;
        let until = Arc::new(AtomicI64::new(until.timestamp_millis()));
        Ok(Some((Self { source: source.id, fence: source.fence, holder, until }, source)))
    }

    /// Takes the lease of this source if nobody holds it and it is not being deleted.
    pub async fn take_one(
        db: &Db,
        source: SourceId,
        holder: ReplicaId,
        length: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<(Self, source::Model)>, DbErr> {
        let tx = db.begin().await?;
        let candidates = Condition::all()
            .add(source::Column::Id.eq(source))
            .add(source::Column::Status.ne(SourceStatus::Deleting));
        let taken = Self::take(&tx, candidates, holder, length, now).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Sources that nobody works on.
    pub(super) fn is_free(now: DateTime<Utc>) -> Condition {
        Condition::any().add(source::Column::LeaseUntil.is_null()).add(source::Column::LeaseUntil.lte(now))
    }

    fn mine(&self) -> Condition {
        Condition::all()
            .add(source::Column::Id.eq(self.source))
            .add(source::Column::Fence.eq(self.fence))
            .add(source::Column::LeaseHolder.eq(self.holder))
    }

    /// A transaction in which the lease is known to be held, and documents may change: on PostgreSQL nobody can take the
    /// lease before its end.
    pub async fn begin(&self, db: &Db) -> Result<DatabaseTransaction, Error> {
        let tx = db.begin().await?;
        let touched = source::documents_change().filter(self.mine()).exec(&tx).await?;
        if touched.rows_affected == 1 { Ok(tx) } else { Err(Error::LeaseLost) }
    }

    /// Holds the lease for `length` more. Answers the status of the source, which a person may have changed.
    pub async fn extend(&self, db: &Db, length: Duration, now: DateTime<Utc>) -> Result<SourceStatus, Error> {
        let until = now + delta(length);
        let touched = source::Entity::update_many()
            .col_expr(source::Column::LeaseUntil, Expr::value(until))
            .filter(self.mine())
            .exec(db.write())
            .await?;
        if touched.rows_affected != 1 {
            return Err(Error::LeaseLost);
        }
        self.until.store(until.timestamp_millis(), Ordering::SeqCst);
        let source = source::Entity::find_by_id(self.source).one(db.write()).await?;
        source.map(|source| source.status).ok_or(Error::LeaseLost)
    }

    /// Gives the lease back, if it is still held.
    pub async fn release(&self, db: &Db) -> Result<(), DbErr> {
        source::Entity::update_many()
            .col_expr(source::Column::LeaseUntil, Expr::value(Option::<DateTime<Utc>>::None))
            .col_expr(source::Column::LeaseHolder, Expr::value(Option::<ReplicaId>::None))
            .filter(self.mine())
            .exec(db.write())
            .await?;
        Ok(())
    }

    /// Whether a call that may take `timeout` would end while the lease is still held.
    #[must_use]
    pub fn outlasts(&self, timeout: Duration, now: DateTime<Utc>) -> bool {
        now.timestamp_millis() + delta(timeout).num_milliseconds() < self.until.load(Ordering::SeqCst)
    }
}

fn delta(length: Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)
}
