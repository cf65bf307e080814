//! What reconciling reads and writes. Every write is made under the lease of the store, and what concerns a source's
//! documents under that source's lease as well.

mod findings;
mod lease;
mod rebuild;
mod repairs;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

pub use findings::{
    Found, add, awaited, confirmed_removals, document_of, hold, judged, kept, left, missed, name_is_taken,
    of_outcome, outcome, rows_by_openai_ids, seen,
};
pub use lease::Lease;
pub use rebuild::{exist, left_behind, on_their_way, switch};
pub use repairs::{
    Adopted, Restored, adopt, described, give_up, live_count, lose, make_due, restore, settle_restored,
    source_of,
};

use crate::{
    app::Db,
    entity::{
        Problem,
        knowledge_base::{self, KnowledgeBaseStatus, StoreOrigin},
        reconcile::{self, ReconcileKind, ReconcileStatus, ReconcileStep, ReconcileTrigger},
        sweep,
    },
    ids::{FileId, KnowledgeBaseId, ReconcileId},
    reconciles::store::queued,
};

/// How often a store is compared by itself.
const EVERY: TimeDelta = TimeDelta::hours(24);
/// How long finished reconciles are kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Queues a reconcile for every knowledge base whose day has passed or whose store was adopted, and forgets old ones.
pub async fn queue_due(db: &Db, now: DateTime<Utc>) -> Result<(), DbErr> {
    use knowledge_base::Column;
    let under_way = Query::select()
        .column(reconcile::Column::KnowledgeBaseId)
        .from(reconcile::Entity)
        .and_where(reconcile::Column::Status.is_in(ReconcileStatus::OPEN))
        .take();
    let never = Column::LastReconciledAt.is_null();
    let a_day_old = Condition::any()
        .add(Column::LastReconciledAt.lte(now - EVERY))
        .add(never.clone().and(Column::CreatedAt.lte(now - EVERY)))
        .add(never.and(Column::Origin.eq(StoreOrigin::Adopted)));
    let due = knowledge_base::Entity::find()
        .filter(Column::Status.eq(KnowledgeBaseStatus::Active))
        .filter(a_day_old)
        .filter(Column::Id.not_in_subquery(under_way))
        .limit(100)
        .all(db.read())
        .await?;
    if due.is_empty() {
        return Ok(());
    }
    let rows = due.iter().map(|due| {
        let is_new = due.last_reconciled_at.is_none() && due.origin == StoreOrigin::Adopted;
        let trigger = if is_new { ReconcileTrigger::Adoption } else { ReconcileTrigger::Daily };
        queued(due, ReconcileKind::Reconcile, trigger, false, now).into_active_model()
    });
    let insert = reconcile::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
    insert.exec_without_returning(db.write()).await?;
    reconcile::Entity::delete_many()
        .filter(reconcile::Column::FinishedAt.lt(now - KEPT))
        .exec(db.write())
        .await?;
    Ok(())
}

/// What may go on now, oldest first.
pub async fn due(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<Vec<reconcile::Model>, DbErr> {
    let not_before = reconcile::Column::NotBefore;
    reconcile::Entity::find()
        .filter(reconcile::Column::Status.is_in(ReconcileStatus::OPEN))
        .filter(Condition::any().add(not_before.is_null()).add(not_before.lte(now)))
        .order_by_asc(reconcile::Column::Id)
        .limit(100)
        .all(db)
        .await
}

/// A reconcile as it is now.
pub async fn read(db: &impl ConnectionTrait, id: ReconcileId) -> Result<reconcile::Model, DbErr> {
    let row = reconcile::Entity::find_by_id(id).one(db).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(id.to_string()))
}

/// Writes where a reconcile stands: its step, and how far its listings have come.
pub async fn save(tx: &impl ConnectionTrait, row: &reconcile::Model) -> Result<(), DbErr> {
    use reconcile::Column;
    let problem = row.problem.as_ref().map(|problem| serde_json::json!(problem));
    reconcile::Entity::update_many()
        .col_expr(Column::Status, Expr::value(row.status))
        .col_expr(Column::Step, Expr::value(row.step))
        .col_expr(Column::VectorStoreId, Expr::value(row.vector_store_id.clone()))
        .col_expr(Column::ListAfter, Expr::value(row.list_after.clone()))
        .col_expr(Column::RowAfter, Expr::value(row.row_after))
        .col_expr(Column::Done, Expr::value(row.done))
        .col_expr(Column::Total, Expr::value(row.total))
        .col_expr(Column::ForeignFiles, Expr::value(row.foreign_files))
        .col_expr(Column::KeptFiles, Expr::value(row.kept_files))
        .col_expr(Column::Problem, Expr::value(problem))
        .col_expr(Column::SentAt, Expr::value(row.sent_at))
        .col_expr(Column::NotBefore, Expr::value(row.not_before))
        .col_expr(Column::StartedAt, Expr::value(row.started_at))
        .col_expr(Column::FinishedAt, Expr::value(row.finished_at))
        .filter(Column::Id.eq(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Ends a reconcile that looked at everything: from here the day counts, and older holds are out of date.
pub async fn finish(
    tx: &impl ConnectionTrait,
    row: &reconcile::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    save(tx, row).await?;
    if row.dry_run || row.status == ReconcileStatus::Failed {
        return Ok(());
    }
    knowledge_base::Entity::update_many()
        .col_expr(knowledge_base::Column::LastReconciledAt, Expr::value(now))
        .filter(knowledge_base::Column::Id.eq(row.knowledge_base_id))
        .exec(tx)
        .await?;
    reconcile::Entity::update_many()
        .col_expr(reconcile::Column::Status, Expr::value(ReconcileStatus::Superseded))
        .filter(reconcile::Column::KnowledgeBaseId.eq(row.knowledge_base_id))
        .filter(reconcile::Column::Status.eq(ReconcileStatus::Held))
        .filter(reconcile::Column::Id.lt(row.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// A problem that a person must mend ends it.
pub fn failed(row: &reconcile::Model, problem: Problem, now: DateTime<Utc>) -> reconcile::Model {
    reconcile::Model {
        status: ReconcileStatus::Failed,
        step: ReconcileStep::Done,
        problem: Some(problem),
        finished_at: Some(now),
        ..row.clone()
    }
}

/// When the account of a credential was last looked through.
pub async fn swept_at(db: &impl ConnectionTrait, credential: &str) -> Result<Option<DateTime<Utc>>, DbErr> {
    Ok(sweep::Entity::find_by_id(credential).one(db).await?.map(|row| row.swept_at))
}

/// Notes that the account of a credential was looked through.
pub async fn swept(tx: &impl ConnectionTrait, credential: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = sweep::Model { credential: credential.to_owned(), swept_at: now };
    let again =
        OnConflict::column(sweep::Column::Credential).update_column(sweep::Column::SweptAt).to_owned();
    sweep::Entity::insert(row.into_active_model()).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

/// The stores that this installation feeds at a server: a file may be in any of them.
pub async fn stores(db: &impl ConnectionTrait, base_url: &str) -> Result<Vec<String>, DbErr> {
    let ids: Vec<Option<String>> = knowledge_base::Entity::find()
        .select_only()
        .column(knowledge_base::Column::VectorStoreId)
        .filter(knowledge_base::Column::OpenaiBaseUrl.eq(base_url))
        .into_tuple()
        .all(db)
        .await?;
    Ok(ids.into_iter().flatten().collect())
}

/// A knowledge base, if it is still there.
pub async fn knowledge_base(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
) -> Result<Option<knowledge_base::Model>, DbErr> {
    knowledge_base::Entity::find_by_id(id).one(db).await
}

/// The next position of a look at rows.
pub type Position = Option<FileId>;
