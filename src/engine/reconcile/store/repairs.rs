//! What puts documents and their files right.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    engine::store::{files, outcomes},
    entity::{
        document::{self, DocumentState, Work},
        file::{self, FileRole, FileStage},
        file_text,
        finding::{self, FindingKind, FindingOutcome},
        reconcile, source,
        source::SourceStatus,
    },
    ids::{BatchId, DocumentId, FileId, KnowledgeBaseId, SourceId},
};

/// What became of a live file that is not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is on its way back.
    OnItsWay,
    /// Another file of the document is on its way already.
    Replaced,
    /// It is not a live file any more.
    Stale,
}

/// Sends a live file back on its way into the store: to be attached again, or to be uploaded again where OpenAI has
/// lost it. It was live, and is not.
pub async fn restore(
    tx: &impl ConnectionTrait,
    file: &file::Model,
    is_at_openai: bool,
    now: DateTime<Utc>,
) -> Result<Restored, DbErr> {
    let is_live = file::Entity::find_by_id(file.id).filter(FileRole::Live.is()).one(tx).await?;
    if is_live.is_none() {
        return Ok(Restored::Stale);
    }
    let candidate = file::Entity::find()
        .filter(file::Column::DocumentId.eq(file.document_id))
        .filter(FileRole::Candidate.is())
        .count(tx)
        .await?;
    let has_text = is_at_openai || file_text::Entity::find_by_id(file.id).count(tx).await? > 0;
    if candidate > 0 || !has_text {
        files::retire(tx, &[file.id], "not_in_store", now).await?;
        outcomes::lost(tx, file.document_id, now).await?;
        return Ok(Restored::Replaced);
    }
    let mut update = file::Entity::update_many()
        .col_expr(file::Column::Role, Expr::value(FileRole::Candidate))
        .col_expr(file::Column::BatchId, Expr::value(Option::<BatchId>::None));
    if is_at_openai {
        update = update.col_expr(file::Column::Stage, Expr::value(FileStage::Uploaded));
    } else {
        update = update
            .col_expr(file::Column::Stage, Expr::value(FileStage::Uploading))
            .col_expr(file::Column::OpenaiFileId, Expr::value(Option::<String>::None))
            .col_expr(file::Column::SentAt, Expr::value(Option::<DateTime<Utc>>::None));
    }
    update.filter(file::Column::Id.eq(file.id)).exec(tx).await?;
    on_its_way(tx, Condition::all().add(document::Column::Id.eq(file.document_id)), now).await?;
    Ok(Restored::OnItsWay)
}

/// Documents whose files are on their way back. Should that fail, they are rendered anew.
pub(super) async fn on_its_way(
    tx: &impl ConnectionTrait,
    which: Condition,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let message = "Its file was lost at OpenAI; it is put there again.";
    document::Entity::update_many()
        .col_expr(
            document::Column::State,
            Expr::case(Expr::col(document::Column::SuspectSince).is_null(), DocumentState::Indexing)
                .finally(DocumentState::Suspect)
                .into(),
        )
        .col_expr(document::Column::Reason, Expr::value(Some("file_lost".to_owned())))
        .col_expr(document::Column::Message, Expr::value(Some(message.to_owned())))
        .col_expr(document::Column::LiveVersion, Expr::value(Option::<i64>::None))
        .col_expr(document::Column::Work, Expr::value(Work::Create))
        .col_expr(document::Column::RetryAt, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(document::Column::UpdatedAt, Expr::value(now))
        .filter(which)
        .filter(document::Column::State.ne(DocumentState::Removed))
        .exec(tx)
        .await?;
    Ok(())
}

/// Retires a live file that cannot be searched: its document is rendered anew.
pub async fn lose(tx: &impl ConnectionTrait, file: &file::Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    files::retire(tx, &[file.id], "broken", now).await?;
    outcomes::lost(tx, file.document_id, now).await
}

/// A file of ours that nothing knew.
#[derive(Debug)]
pub struct Adopted {
    /// Its row.
    pub file: file::Model,
    /// The live file that it takes the place of: it is not in the store.
    pub instead_of: Option<FileId>,
}

/// Takes up a file that nothing knew as the live one of its document, whose text is looked at soon. False if the
/// document is no longer wanted or has another live file by now.
pub async fn adopt(tx: &impl ConnectionTrait, adopted: Adopted, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let Adopted { file, instead_of } = adopted;
    let live = super::findings::live_file(tx, file.document_id).await?.map(|live| live.id);
    let wanted = document::Entity::find_by_id(file.document_id)
        .filter(document::Column::State.ne(DocumentState::Removed))
        .count(tx)
        .await?;
    if live != instead_of || wanted == 0 {
        return Ok(false);
    }
    if let Some(lost) = live {
        files::retire(tx, &[lost], "not_in_store", now).await?;
    }
    let (document, version) = (file.document_id, file.version);
    file::Entity::insert(file.into_active_model()).exec_without_returning(tx).await?;
    document::Entity::update_many()
        .col_expr(
            document::Column::State,
            Expr::case(Expr::col(document::Column::SuspectSince).is_null(), DocumentState::Live)
                .finally(DocumentState::Suspect)
                .into(),
        )
        .col_expr(document::Column::Reason, Expr::value(Option::<String>::None))
        .col_expr(document::Column::Message, Expr::value(Option::<String>::None))
        .col_expr(document::Column::LiveVersion, Expr::value(version))
        .col_expr(document::Column::Work, Expr::value(Work::Revise))
        .col_expr(document::Column::RetryAt, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(document::Column::UpdatedAt, Expr::value(now))
        .filter(document::Column::Id.eq(document))
        .exec(tx)
        .await?;
    Ok(true)
}

/// Whether a live file is as it was when its attributes were read: the finding about them still stands.
pub async fn described(db: &impl ConnectionTrait, seen: &file::Model) -> Result<bool, DbErr> {
    let row = file::Entity::find_by_id(seen.id).filter(FileRole::Live.is()).one(db).await?;
    let document = document::Entity::find_by_id(seen.document_id).one(db).await?;
    let is_due = document.is_none_or(|document| document.work == Work::Metadata);
    Ok(!is_due && row.is_some_and(|row| row.attributes == seen.attributes))
}

/// How many live files a knowledge base has.
pub async fn live_count(db: &impl ConnectionTrait, knowledge_base: KnowledgeBaseId) -> Result<u64, DbErr> {
    file::Entity::find()
        .filter(file::Column::KnowledgeBaseId.eq(knowledge_base))
        .filter(FileRole::Live.is())
        .count(db)
        .await
}

/// Notes which files that were on their way back have arrived, or are no longer wanted; answers the sources of those
/// that are still on their way and will be carried on.
pub async fn settle_restored(
    tx: &impl ConnectionTrait,
    reconcile: &reconcile::Model,
) -> Result<Vec<SourceId>, DbErr> {
    let back = Query::select()
        .column(file::Column::DocumentId)
        .from(file::Entity)
        .and_where(file::Column::KnowledgeBaseId.eq(reconcile.knowledge_base_id))
        .and_where(FileRole::Live.is())
        .take();
    let unwanted = Query::select()
        .column(document::Column::Id)
        .from(document::Entity)
        .and_where(document::Column::State.is_in([DocumentState::Removed, DocumentState::Skipped]))
        .take();
    let on_their_way = Condition::all()
        .add(finding::Column::ReconcileId.eq(reconcile.id))
        .add(finding::Column::Outcome.eq(FindingOutcome::Repairing))
        .add(finding::Column::Kind.is_in([FindingKind::Missing, FindingKind::Broken]));
    let arrived = Condition::any()
        .add(finding::Column::DocumentId.in_subquery(back))
        .add(finding::Column::DocumentId.in_subquery(unwanted));
    finding::Entity::update_many()
        .col_expr(finding::Column::Outcome, Expr::value(FindingOutcome::Repaired))
        .filter(on_their_way.clone())
        .filter(arrived)
        .exec(tx)
        .await?;
    let documents = Query::select()
        .column(finding::Column::DocumentId)
        .from(finding::Entity)
        .cond_where(on_their_way)
        .take();
    let sources = Query::select()
        .column(document::Column::SourceId)
        .from(document::Entity)
        .and_where(document::Column::Id.in_subquery(documents))
        .take();
    let waiting: Vec<source::Model> =
        source::Entity::find().filter(source::Column::Id.in_subquery(sources)).all(tx).await?;
    Ok(waiting
        .into_iter()
        .filter(|source| source.status == SourceStatus::Active)
        .map(|source| source.id)
        .collect())
}

/// Makes a source due now, so that its next run carries on what waits.
pub async fn make_due(tx: &impl ConnectionTrait, source: SourceId, now: DateTime<Utc>) -> Result<(), DbErr> {
    source::Entity::update_many()
        .col_expr(source::Column::NextSyncAt, Expr::value(now))
        .filter(source::Column::Id.eq(source))
        .filter(source::Column::NextSyncAt.gt(now))
        .exec(tx)
        .await?;
    Ok(())
}

/// Leaves what is still on its way to the syncs of its sources.
pub async fn give_up(tx: &impl ConnectionTrait, reconcile: &reconcile::Model) -> Result<(), DbErr> {
    finding::Entity::update_many()
        .col_expr(finding::Column::Outcome, Expr::value(FindingOutcome::Waiting))
        .filter(finding::Column::ReconcileId.eq(reconcile.id))
        .filter(finding::Column::Outcome.is_in([FindingOutcome::Confirmed, FindingOutcome::Repairing]))
        .exec(tx)
        .await?;
    Ok(())
}

/// The source of a document.
pub async fn source_of(db: &impl ConnectionTrait, document: DocumentId) -> Result<Option<SourceId>, DbErr> {
    document::Entity::find_by_id(document)
        .select_only()
        .column(document::Column::SourceId)
        .into_tuple()
        .one(db)
        .await
}
