//! The lease of a knowledge base's store: one process compares or rebuilds it at a time, and every write repeats the
//! fence number.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use crate::{
    app::Db,
    engine::store::Error,
    entity::lease::{ActiveModel, Column, Entity},
    ids::{KnowledgeBaseId, ReplicaId},
};

/// Proof that this process may work on a store, as long as the database agrees.
#[derive(Clone, Debug)]
pub struct Lease {
    name: String,
    fence: i64,
    holder: ReplicaId,
    length: TimeDelta,
    until: Arc<AtomicI64>,
}

impl Lease {
    /// Takes the lease if nobody holds it.
    pub async fn take(
        db: &Db,
        knowledge_base: KnowledgeBaseId,
        holder: ReplicaId,
        length: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, DbErr> {
        let name = format!("store of {knowledge_base}");
        let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        let tx = db.begin().await?;
        let row =
            ActiveModel { name: Set(name.clone()), holder: Set(None), held_until: Set(None), fence: Set(0) };
        let keep = OnConflict::column(Column::Name).do_nothing().to_owned();
        Entity::insert(row).on_conflict(keep).exec_without_returning(&tx).await?;
        let free = Condition::any().add(Column::HeldUntil.is_null()).add(Column::HeldUntil.lte(now));
        let taken = Entity::update_many()
            .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
            .col_expr(Column::Holder, Expr::value(holder))
            .col_expr(Column::HeldUntil, Expr::value(now + length))
            .filter(Column::Name.eq(&name))
            .filter(free)
            .exec(&tx)
            .await?;
        let row = Entity::find_by_id(&name).one(&tx).await?.filter(|_| taken.rows_affected == 1);
        tx.commit().await?;
        let until = Arc::new(AtomicI64::new((now + length).timestamp_millis()));
        Ok(row.map(|row| Self { name, fence: row.fence, holder, length, until }))
    }

    fn mine(&self) -> Condition {
        Condition::all()
            .add(Column::Name.eq(&self.name))
            .add(Column::Fence.eq(self.fence))
            .add(Column::Holder.eq(self.holder))
    }

    /// A transaction in which the lease is known to be held, and which holds it for longer.
    pub async fn begin(&self, db: &Db, now: DateTime<Utc>) -> Result<DatabaseTransaction, Error> {
        let tx = db.begin().await?;
        let until = now + self.length;
        let touched = Entity::update_many()
            .col_expr(Column::HeldUntil, Expr::value(until))
            .filter(self.mine())
            .exec(&tx)
            .await?;
        if touched.rows_affected != 1 {
            return Err(Error::LeaseLost);
        }
        self.until.store(until.timestamp_millis(), Ordering::SeqCst);
        Ok(tx)
    }

    /// Gives the lease back, if it is still held.
    pub async fn release(&self, db: &Db) -> Result<(), DbErr> {
        Entity::update_many()
            .col_expr(Column::HeldUntil, Expr::value(Option::<DateTime<Utc>>::None))
            .col_expr(Column::Holder, Expr::value(Option::<ReplicaId>::None))
            .filter(self.mine())
            .exec(db.write())
            .await?;
        Ok(())
    }

    /// Whether a call that may take `timeout` would end while the lease is still held.
    #[must_use]
    pub fn outlasts(&self, timeout: Duration, now: DateTime<Utc>) -> bool {
        let timeout = TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX);
        now.timestamp_millis() + timeout.num_milliseconds() < self.until.load(Ordering::SeqCst)
    }
}
