//! Files on their way into the store and out of it: each is a row before the call that may make it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Value,
    sea_query::{CaseStatement, Expr, ExprTrait, Query},
};

use crate::{
    entity::{
        batch::{self, BatchStatus},
        document::{self, DocumentState, Work},
        file::{self, FileRole, FileStage},
        file_text,
    },
    ids::{BatchId, DocumentId, FileId, SourceId},
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

/// The only place where documents change their live file: the candidates become live, what was live retires.
///
/// Only files that are still candidates of documents that are still wanted are swapped; the others are left to whoever
/// changed them. A document whose newest version is newer still keeps its work.
pub async fn swap(tx: &impl ConnectionTrait, files: &[FileId], now: DateTime<Utc>) -> Result<(), DbErr> {
    for some in files.chunks(400) {
        let ready =
            Condition::all().add(file::Column::Id.is_in(some.iter().copied())).add(FileRole::Candidate.is());
        let documents = Query::select()
            .column(file::Column::DocumentId)
            .from(file::Entity)
            .cond_where(ready.clone())
            .take();
        retire_where(
            tx,
            Condition::all().add(file::Column::DocumentId.in_subquery(documents)).add(FileRole::Live.is()),
            "replaced",
            now,
        )
        .await?;
        file::Entity::update_many()
            .col_expr(file::Column::Role, Expr::value(FileRole::Live))
            .col_expr(file::Column::Stage, Expr::value(FileStage::Completed))
            .col_expr(file::Column::CompletedAt, Expr::value(now))
            .filter(ready)
            .exec(tx)
            .await?;
        make_live(tx, some, now).await?;
    }
    Ok(())
}

async fn make_live(tx: &impl ConnectionTrait, files: &[FileId], now: DateTime<Utc>) -> Result<(), DbErr> {
    let version = |role: FileRole| {
        Query::select()
            .column((file::Entity, file::Column::Version))
            .from(file::Entity)
            .and_where(
                Expr::col((file::Entity, file::Column::DocumentId))
                    .equals((document::Entity, document::Column::Id)),
            )
            .and_where(role.is())
            .take()
    };
    let swapped = Query::select()
        .column(file::Column::DocumentId)
        .from(file::Entity)
        .and_where(file::Column::Id.is_in(files.iter().copied()))
        .and_where(FileRole::Live.is())
        .take();
    let live_version = || Expr::SubQuery(None, Box::new(version(FileRole::Live).into()));
    let none = |column| (column, Expr::value(Option::<String>::None));
    let mut update = document::Entity::update_many()
        .col_expr(
            document::Column::State,
            Expr::case(Expr::col(document::Column::SuspectSince).is_null(), DocumentState::Live)
                .finally(DocumentState::Suspect)
                .into(),
        )
        .col_expr(document::Column::LiveVersion, live_version())
        .col_expr(document::Column::RenderedVersion, live_version())
        .col_expr(document::Column::SearchableAt, Expr::value(now))
        .col_expr(document::Column::Failures, Expr::value(0))
        .col_expr(document::Column::RetryAt, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(document::Column::UpdatedAt, Expr::value(now))
        .col_expr(
            document::Column::Work,
            Expr::case(Expr::col(document::Column::WantedVersion).gt(live_version()), Work::Revise)
                .finally(Work::None)
                .into(),
        );
    for (column, value) in [none(document::Column::Reason), none(document::Column::Message)] {
        update = update.col_expr(column, value);
    }
    update.filter(document::Column::Id.in_subquery(swapped)).exec(tx).await?;
    Ok(())
}

/// The documents of those of these files that are still candidates.
pub async fn still_candidates(tx: &impl ConnectionTrait, files: &[FileId]) -> Result<Vec<DocumentId>, DbErr> {
    documents_with(tx, file::Column::Id.is_in(files.iter().copied()), FileRole::Candidate).await
}

/// Of these documents, those that have a live file.
pub async fn with_live_file(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
) -> Result<HashSet<DocumentId>, DbErr> {
    let which = file::Column::DocumentId.is_in(documents.iter().copied());
    Ok(documents_with(tx, which, FileRole::Live).await?.into_iter().collect())
}

async fn documents_with(
    tx: &impl ConnectionTrait,
    which: Expr,
    role: FileRole,
) -> Result<Vec<DocumentId>, DbErr> {
    file::Entity::find()
        .select_only()
        .column(file::Column::DocumentId)
        .filter(which)
        .filter(role.is())
        .into_tuple()
        .all(tx)
        .await
}

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

/// Sets all files of a source on their way out.
pub async fn retire_source(
    tx: &impl ConnectionTrait,
    source: SourceId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    retire_where(tx, Condition::all().add(file::Column::SourceId.eq(source)), "source_deleted", now).await
}

async fn retire_where(
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

/// Files whose upload was sent and not answered, candidates and those on their way out, oldest first.
pub async fn unanswered(db: &impl ConnectionTrait, source: SourceId) -> Result<Vec<file::Model>, DbErr> {
    file::Entity::find()
        .filter(file::Column::SourceId.eq(source))
        .filter(FileRole::Live.is_not())
        .filter(file::Column::Stage.eq(FileStage::Uploading))
        .order_by_asc(file::Column::Id)
        .limit(10_000)
        .all(db)
        .await
}

/// Whether a source has files left in any role.
pub async fn any_left(db: &impl ConnectionTrait, source: SourceId) -> Result<bool, DbErr> {
    let row = file::Entity::find().filter(file::Column::SourceId.eq(source)).limit(1).one(db).await?;
    Ok(row.is_some())
}

/// Forgets all files of a source; what is in the store stays there.
pub async fn forget_source(tx: &impl ConnectionTrait, source: SourceId) -> Result<(), DbErr> {
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
