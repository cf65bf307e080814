//! The step from a lost store to a new one.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};

use super::repairs::on_its_way;
use crate::{
    entity::{
        batch, document, file,
        file::{FileRole, FileStage},
        file_text,
        knowledge_base::{self, KnowledgeBaseStatus, StoreOrigin},
        source::{self, SourceStatus},
    },
    ids::{BatchId, KnowledgeBaseId, ReplicaId},
    sources,
};

/// Notes that these files are at OpenAI.
pub async fn exist(
    tx: &impl ConnectionTrait,
    knowledge_base: KnowledgeBaseId,
    openai_file_ids: &[&str],
    began: DateTime<Utc>,
) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::SeenAt, Expr::value(began))
        .filter(file::Column::KnowledgeBaseId.eq(knowledge_base))
        .filter(file::Column::OpenaiFileId.is_in(openai_file_ids.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Gives a knowledge base its new store: what was live is on its way back from now on. Answers how many files that are.
pub async fn switch(
    tx: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    vector_store: &str,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    end_runs(tx, id, now).await?;
    let of_store = || Condition::all().add(file::Column::KnowledgeBaseId.eq(id));
    let were_live = of(Query::select()
        .column(file::Column::DocumentId)
        .from(file::Entity)
        .cond_where(of_store().add(FileRole::Live.is()))
        .take());
    on_its_way(tx, were_live, now).await?;
    // Files that were on their way into the old store are attached to the new one.
    file::Entity::update_many()
        .col_expr(file::Column::Stage, Expr::value(FileStage::Uploaded))
        .col_expr(file::Column::BatchId, Expr::value(Option::<BatchId>::None))
        .filter(of_store())
        .filter(FileRole::Candidate.is())
        .filter(file::Column::OpenaiFileId.is_not_null())
        .exec(tx)
        .await?;
    batch::Entity::delete_many().filter(batch::Column::KnowledgeBaseId.eq(id)).exec(tx).await?;
    retire_unneeded(tx, &of_store(), began, now).await?;
    let is_there = Expr::col(file::Column::SeenAt).gte(began);
    let live = || of_store().add(FileRole::Live.is());
    let lost = file::Entity::update_many()
        .col_expr(file::Column::Role, Expr::value(FileRole::Candidate))
        .col_expr(file::Column::Stage, Expr::value(FileStage::Uploading))
        .col_expr(file::Column::OpenaiFileId, Expr::value(Option::<String>::None))
        .col_expr(file::Column::SentAt, Expr::value(Option::<DateTime<Utc>>::None))
        .filter(live())
        .filter(Condition::any().add(file::Column::SeenAt.is_null()).add(file::Column::SeenAt.lt(began)))
        .exec(tx)
        .await?;
    let there = file::Entity::update_many()
        .col_expr(file::Column::Role, Expr::value(FileRole::Candidate))
        .col_expr(file::Column::Stage, Expr::value(FileStage::Uploaded))
        .col_expr(file::Column::BatchId, Expr::value(Option::<BatchId>::None))
        .filter(live())
        .filter(is_there)
        .exec(tx)
        .await?;
    take_over(tx, id, vector_store, now).await?;
    Ok(lost.rows_affected + there.rows_affected)
}

/// Whoever works on a source of the knowledge base does it for the old store, and may do nothing more.
async fn end_runs(tx: &impl ConnectionTrait, id: KnowledgeBaseId, now: DateTime<Utc>) -> Result<(), DbErr> {
    source::documents_change()
        .col_expr(source::Column::Fence, Expr::col(source::Column::Fence).add(1))
        .col_expr(source::Column::LeaseHolder, Expr::value(Option::<ReplicaId>::None))
        .col_expr(source::Column::LeaseUntil, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(source::Column::NextSyncAt, Expr::value(now))
        .filter(source::Column::KnowledgeBaseId.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Live files whose documents have another file on its way, or that can be brought back by no means: those documents
/// are rendered anew.
async fn retire_unneeded(
    tx: &impl ConnectionTrait,
    of_store: &Condition,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let candidates = Query::select()
        .column(file::Column::DocumentId)
        .from(file::Entity)
        .cond_where(of_store.clone().add(FileRole::Candidate.is()))
        .take();
    let texts = Query::select().column(file_text::Column::FileId).from(file_text::Entity).take();
    let is_lost = Condition::any().add(file::Column::SeenAt.is_null()).add(file::Column::SeenAt.lt(began));
    let unneeded = Condition::any()
        .add(file::Column::DocumentId.in_subquery(candidates))
        .add(Condition::all().add(is_lost).add(file::Column::Id.not_in_subquery(texts)));
    file::Entity::update_many()
        .col_expr(file::Column::Role, Expr::value(FileRole::Retiring))
        .col_expr(file::Column::RetiringAt, Expr::value(now))
        .col_expr(file::Column::RetireReason, Expr::value(Some("store_lost".to_owned())))
        .filter(of_store.clone())
        .filter(FileRole::Live.is())
        .filter(unneeded)
        .exec(tx)
        .await?;
    Ok(())
}

async fn take_over(
    tx: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    vector_store: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use knowledge_base::Column;
    knowledge_base::Entity::update_many()
        .col_expr(Column::VectorStoreId, Expr::value(Some(vector_store.to_owned())))
        .col_expr(Column::Origin, Expr::value(StoreOrigin::Created))
        .col_expr(Column::Status, Expr::value(KnowledgeBaseStatus::Active))
        .col_expr(Column::Problem, Expr::value(Option::<serde_json::Value>::None))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.ne(KnowledgeBaseStatus::Deleting))
        .exec(tx)
        .await?;
    sources::store::follow_knowledge_base(tx, id, now).await
}

fn of(documents: SelectStatement) -> Condition {
    Condition::all().add(document::Column::Id.in_subquery(documents))
}

fn restored(id: KnowledgeBaseId) -> Condition {
    Condition::all()
        .add(file::Column::KnowledgeBaseId.eq(id))
        .add(FileRole::Candidate.is())
        .add(file::Column::CompletedAt.is_not_null())
}

fn active() -> SelectStatement {
    Query::select()
        .column(source::Column::Id)
        .from(source::Entity)
        .and_where(source::Column::Status.eq(SourceStatus::Active))
        .take()
}

/// How many files that were live are on their way back.
pub async fn on_their_way(db: &impl ConnectionTrait, id: KnowledgeBaseId) -> Result<u64, DbErr> {
    let carried = file::Column::SourceId.in_subquery(active());
    file::Entity::find().filter(restored(id)).filter(carried).count(db).await
}

/// How many files that were live wait for a source that is paused or blocked.
pub async fn left_behind(db: &impl ConnectionTrait, id: KnowledgeBaseId) -> Result<u64, DbErr> {
    let waiting = file::Column::SourceId.not_in_subquery(active());
    file::Entity::find().filter(restored(id)).filter(waiting).count(db).await
}
