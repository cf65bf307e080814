//! Files on their way out.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::{
    entity::file::{self, FileRole},
    ids::{DocumentId, FileId, SourceId},
};

/// Sets files on their way out. From here on nothing but their deletion happens to them.
pub async fn retire(
    tx: &impl ConnectionTrait,
    files: &[FileId],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in files.chunks(500) {
        retire_where(tx, Condition::all().add(file::Column::Id.is_in(some.iter().copied())), reason, now)
            .await?;
    }
    Ok(())
}

/// Sets all files of documents on their way out, live ones and candidates alike.
pub async fn retire_documents(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in documents.chunks(500) {
        let theirs = Condition::all().add(file::Column::DocumentId.is_in(some.iter().copied()));
        retire_where(tx, theirs, reason, now).await?;
    }
    Ok(())
}

/// Sets the candidate of a document on its way out: its text would not be right any more.
pub async fn retire_candidate(
    tx: &impl ConnectionTrait,
    document: DocumentId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let candidate = Condition::all().add(file::Column::DocumentId.eq(document)).add(FileRole::Candidate.is());
    retire_where(tx, candidate, reason, now).await
}

/// Sets all files of a source on their way out.
pub async fn retire_source(
    tx: &impl ConnectionTrait,
    source: SourceId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    retire_where(tx, Condition::all().add(file::Column::SourceId.eq(source)), "source_deleted", now).await
}

pub(super) async fn retire_where(
    tx: &impl ConnectionTrait,
    which: Condition,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::Role, Expr::value(FileRole::Retiring))
        .col_expr(file::Column::RetiringAt, Expr::value(now))
        .col_expr(file::Column::RetireReason, Expr::value(Some(reason.to_owned())))
        .filter(which)
        .filter(FileRole::Retiring.is_not())
        .exec(tx)
        .await?;
    Ok(())
}

/// Files on their way out whose ids are known, oldest first.
pub async fn retiring(
    db: &impl ConnectionTrait,
    source: SourceId,
    limit: u64,
) -> Result<Vec<file::Model>, DbErr> {
    file::Entity::find()
        .filter(file::Column::SourceId.eq(source))
        .filter(FileRole::Retiring.is())
        .filter(file::Column::OpenaiFileId.is_not_null())
        .order_by_asc(file::Column::Id)
        .limit(limit)
        .all(db)
        .await
}
