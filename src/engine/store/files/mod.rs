//! Files on their way into the store and out of it: each is a row before the call that may make it.

mod batches;
mod restored;
mod retiring;
mod swap;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Value,
    sea_query::{CaseStatement, Expr, ExprTrait},
};

pub use batches::{attach, attached, batch, close_batches, detached, of_batch, open_batches};
pub use restored::{keep_text, sending, text, unsend, unsent};
pub use retiring::{retire, retire_candidate, retire_documents, retire_source, retiring};
pub use swap::{still_candidates, swap, with_live_file};

use crate::{
    entity::{
        document::{self, DocumentState, Work},
        file::{self, FileRole, FileStage},
        file_text,
    },
    ids::{DocumentId, FileId, SourceId},
};

/// A file about to be uploaded, with its packed text.
#[derive(Debug)]
pub struct Candidate {
    /// The row.
    pub file: file::Model,
    /// Compressed and sealed.
    pub packed: Vec<u8>,
}

/// Notes files before they are uploaded; their documents with no live file are being indexed from now on.
pub async fn plan(
    tx: &impl ConnectionTrait,
    candidates: &[Candidate],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if candidates.is_empty() {
        return Ok(());
    }
    let rows = candidates.iter().map(|candidate| file::ActiveModel::from(candidate.file.clone()));
    file::Entity::insert_many(rows).exec_without_returning(tx).await?;
    let texts = candidates.iter().map(|candidate| file_text::ActiveModel {
        file_id: Set(candidate.file.id),
        text: Set(candidate.packed.clone()),
    });
    file_text::Entity::insert_many(texts).exec_without_returning(tx).await?;
    document::Entity::update_many()
        .col_expr(document::Column::State, Expr::value(DocumentState::Indexing))
        .col_expr(document::Column::Reason, Expr::value(Option::<String>::None))
        .col_expr(document::Column::Message, Expr::value(Option::<String>::None))
        .col_expr(document::Column::UpdatedAt, Expr::value(now))
        .filter(document::Column::Id.is_in(candidates.iter().map(|candidate| candidate.file.document_id)))
        .filter(document::Column::LiveVersion.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes the ids that OpenAI gave to uploaded files.
pub async fn uploaded(tx: &impl ConnectionTrait, files: &[(FileId, String)]) -> Result<(), DbErr> {
    let mut ids = CaseStatement::new();
    for (file, openai_id) in files {
        ids = ids.case(file::Column::Id.eq(*file), openai_id.as_str());
    }
    if files.is_empty() {
        return Ok(());
    }
    file::Entity::update_many()
        .col_expr(file::Column::OpenaiFileId, ids.into())
        .col_expr(file::Column::Stage, Expr::value(FileStage::Uploaded))
        .filter(file::Column::Id.is_in(files.iter().map(|(file, _)| *file)))
        .exec(tx)
        .await?;
    Ok(())
}

/// Forgets candidates that certainly do not exist at OpenAI: the upload was refused, or never sent.
pub async fn forget(tx: &impl ConnectionTrait, files: &[FileId]) -> Result<(), DbErr> {
    for some in files.chunks(500) {
        file::Entity::delete_many().filter(file::Column::Id.is_in(some.iter().copied())).exec(tx).await?;
    }
    Ok(())
}

/// The candidates of a source at some stages, oldest first.
pub async fn candidates(
    db: &impl ConnectionTrait,
    source: SourceId,
    stages: &[FileStage],
    limit: u64,
) -> Result<Vec<file::Model>, DbErr> {
    file::Entity::find()
        .filter(file::Column::SourceId.eq(source))
        .filter(FileRole::Candidate.is())
        .filter(file::Column::Stage.is_in(stages.iter().copied()))
        .order_by_asc(file::Column::Id)
        .limit(limit)
        .all(db)
        .await
}

/// How many candidates a source has.
pub async fn candidate_count(db: &impl ConnectionTrait, source: SourceId) -> Result<u64, DbErr> {
    let count: Option<i64> = file::Entity::find()
        .select_only()
        .expr_as(Expr::col(file::Column::Id).count(), "candidates")
        .filter(file::Column::SourceId.eq(source))
        .filter(FileRole::Candidate.is())
        .into_tuple()
        .one(db)
        .await?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

/// Files whose upload was sent and not answered, candidates and those on their way out, oldest first.
pub async fn unanswered(db: &impl ConnectionTrait, source: SourceId) -> Result<Vec<file::Model>, DbErr> {
    file::Entity::find()
        .filter(file::Column::SourceId.eq(source))
        .filter(FileRole::Live.is_not())
        .filter(file::Column::Stage.eq(FileStage::Uploading))
        .filter(file::Column::SentAt.is_not_null())
        .order_by_asc(file::Column::Id)
        .limit(10_000)
        .all(db)
        .await
}

/// How long the live texts of these documents are, of those that have one.
pub async fn live_bytes(
    db: &impl ConnectionTrait,
    documents: &[DocumentId],
) -> Result<HashMap<DocumentId, u64>, DbErr> {
    let mut bytes = HashMap::new();
    for some in documents.chunks(500) {
        let rows: Vec<(DocumentId, i64)> = file::Entity::find()
            .select_only()
            .columns([file::Column::DocumentId, file::Column::Bytes])
            .filter(file::Column::DocumentId.is_in(some.iter().copied()))
            .filter(FileRole::Live.is())
            .into_tuple()
            .all(db)
            .await?;
        bytes.extend(rows.into_iter().map(|(document, bytes)| (document, bytes.unsigned_abs())));
    }
    Ok(bytes)
}

/// Whether a source has files left in any role.
pub async fn any_left(db: &impl ConnectionTrait, source: SourceId) -> Result<bool, DbErr> {
    let row = file::Entity::find().filter(file::Column::SourceId.eq(source)).limit(1).one(db).await?;
    Ok(row.is_some())
}

/// Forgets all files of a source; what is in the store stays there.
pub async fn forget_source(
    tx: &impl ConnectionTrait,
    source: SourceId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    restored::keep(tx, source, now).await?;
    file::Entity::delete_many().filter(file::Column::SourceId.eq(source)).exec(tx).await?;
    Ok(())
}

/// Writes the attributes that a live file has now, and that nothing more is to be done for its document.
pub async fn described(
    tx: &impl ConnectionTrait,
    file: FileId,
    attributes: serde_json::Value,
    document: DocumentId,
) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::Attributes, Expr::value(Value::from(attributes)))
        .filter(file::Column::Id.eq(file))
        .exec(tx)
        .await?;
    document::Entity::update_many()
        .col_expr(document::Column::Work, Expr::value(Work::None))
        .filter(document::Column::Id.eq(document))
        .filter(document::Column::Work.eq(Work::Metadata))
        .exec(tx)
        .await?;
    Ok(())
}
