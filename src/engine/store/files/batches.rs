//! The batches that attach files to the store.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, Query},
};

use crate::{
    entity::{
        batch::{self, BatchStatus},
        file::{self, FileRole, FileStage},
    },
    ids::{BatchId, FileId, SourceId},
};

/// Notes a batch before the call that attaches its files, with the attributes that they will have.
pub async fn attach(
    tx: &impl ConnectionTrait,
    batch: batch::Model,
    files: &[(FileId, serde_json::Value)],
) -> Result<(), DbErr> {
    let id = batch.id;
    batch::Entity::insert(batch.into_active_model()).exec_without_returning(tx).await?;
    for (file, attributes) in files {
        let values = file::ActiveModel {
            stage: Set(FileStage::Attaching),
            batch_id: Set(Some(id)),
            attributes: Set(attributes.clone()),
            ..Default::default()
        };
        file::Entity::update_many().set(values).filter(file::Column::Id.eq(*file)).exec(tx).await?;
    }
    Ok(())
}

/// Notes what became of the call that attaches a batch.
pub async fn attached(
    tx: &impl ConnectionTrait,
    batch: BatchId,
    status: BatchStatus,
    vendor_id: Option<String>,
) -> Result<(), DbErr> {
    batch::Entity::update_many()
        .col_expr(batch::Column::Status, Expr::value(status))
        .col_expr(batch::Column::VendorId, Expr::value(vendor_id))
        .filter(batch::Column::Id.eq(batch))
        .exec(tx)
        .await?;
    file::Entity::update_many()
        .col_expr(file::Column::Stage, Expr::value(FileStage::Indexing))
        .filter(file::Column::BatchId.eq(batch))
        .filter(file::Column::Stage.eq(FileStage::Attaching))
        .exec(tx)
        .await?;
    Ok(())
}

/// Sets files back to uploaded: the call that should have attached them had no effect.
pub async fn detached(tx: &impl ConnectionTrait, files: &[FileId]) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::Stage, Expr::value(FileStage::Uploaded))
        .col_expr(file::Column::BatchId, Expr::value(Option::<BatchId>::None))
        .filter(file::Column::Id.is_in(files.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The batches of a source that still have candidates.
pub async fn open_batches(db: &impl ConnectionTrait, source: SourceId) -> Result<Vec<batch::Model>, DbErr> {
    batch::Entity::find()
        .filter(batch::Column::SourceId.eq(source))
        .order_by_asc(batch::Column::Id)
        .all(db)
        .await
}

/// One batch.
pub async fn batch(db: &impl ConnectionTrait, id: BatchId) -> Result<Option<batch::Model>, DbErr> {
    batch::Entity::find_by_id(id).one(db).await
}

/// The candidates of a batch.
pub async fn of_batch(db: &impl ConnectionTrait, batch: BatchId) -> Result<Vec<file::Model>, DbErr> {
    file::Entity::find()
        .filter(file::Column::BatchId.eq(batch))
        .filter(FileRole::Candidate.is())
        .all(db)
        .await
}

/// Forgets batches of which no candidate is left.
pub async fn close_batches(tx: &impl ConnectionTrait, source: SourceId) -> Result<(), DbErr> {
    let used = Query::select()
        .column(file::Column::BatchId)
        .from(file::Entity)
        .and_where(file::Column::SourceId.eq(source))
        .and_where(FileRole::Candidate.is())
        .and_where(file::Column::BatchId.is_not_null())
        .take();
    batch::Entity::delete_many()
        .filter(batch::Column::SourceId.eq(source))
        .filter(batch::Column::Id.not_in_subquery(used))
        .exec(tx)
        .await?;
    Ok(())
}
