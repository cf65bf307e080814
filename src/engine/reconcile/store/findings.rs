//! Findings, and the rows that they are found by.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use super::Position;
use crate::{
    entity::{
        document, file,
        file::FileRole,
        finding::{self, Column, Entity, FindingKind, FindingOutcome},
        kept_file, reconcile,
        selection::{self, SelectionMode},
        source::{self, SourceStatus},
    },
    ids::{DocumentId, FindingId, KnowledgeBaseId, ReconcileId},
};

/// Something that a list showed, or lacked.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it looks like.
    pub kind: FindingKind,
    /// The file at OpenAI.
    pub openai_file_id: String,
    /// What is known of it.
    pub file: Option<file::Model>,
    /// The page that it says it is of.
    pub page_id: Option<String>,
    /// The title that it says it has.
    pub title: Option<String>,
}

/// Writes findings down, each file once a reconcile.
pub async fn add(
    tx: &impl ConnectionTrait,
    reconcile: ReconcileId,
    found: Vec<Found>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if found.is_empty() {
        return Ok(());
    }
    let rows = found.into_iter().map(|found| {
        finding::Model {
            id: FindingId::new(),
            reconcile_id: reconcile,
            kind: found.kind,
            outcome: FindingOutcome::Found,
            openai_file_id: found.openai_file_id,
            file_id: found.file.as_ref().map(|file| file.id),
            document_id: found.file.as_ref().map(|file| file.document_id),
            page_id: found.page_id,
            title: found.title,
            created_at: now,
        }
        .into_active_model()
    });
    let once = OnConflict::columns([Column::ReconcileId, Column::OpenaiFileId]).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(tx).await?;
    Ok(())
}

/// What is known of files, by their ids at OpenAI.
pub async fn rows_by_openai_ids(
    db: &impl ConnectionTrait,
    ids: &[&str],
) -> Result<HashMap<String, file::Model>, DbErr> {
    let mut known = HashMap::new();
    for some in ids.chunks(500) {
        let rows = file::Entity::find()
            .filter(file::Column::OpenaiFileId.is_in(some.iter().copied()))
            .all(db)
            .await?;
        known.extend(rows.into_iter().filter_map(|row| Some((row.openai_file_id.clone()?, row))));
    }
    Ok(known)
}

/// Of these files, those that a person kept.
pub async fn kept(db: &impl ConnectionTrait, ids: &[&str]) -> Result<HashSet<String>, DbErr> {
    let rows = kept_file::Entity::find()
        .filter(kept_file::Column::OpenaiFileId.is_in(ids.iter().copied()))
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.openai_file_id).collect())
}

/// Notes that the store's list shows these files.
pub async fn seen(
    tx: &impl ConnectionTrait,
    files: &[&file::Model],
    began: DateTime<Utc>,
) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::SeenAt, Expr::value(began))
        .filter(file::Column::Id.is_in(files.iter().map(|file| file.id)))
        .exec(tx)
        .await?;
    Ok(())
}

/// The next live files that the store's list should have shown and did not.
pub async fn missed(
    db: &impl ConnectionTrait,
    knowledge_base: KnowledgeBaseId,
    began: DateTime<Utc>,
    after: Position,
    limit: u64,
) -> Result<Vec<file::Model>, DbErr> {
    let unseen = Condition::any().add(file::Column::SeenAt.is_null()).add(file::Column::SeenAt.lt(began));
    let mut select = file::Entity::find()
        .filter(file::Column::KnowledgeBaseId.eq(knowledge_base))
        .filter(FileRole::Live.is())
        .filter(file::Column::CompletedAt.lt(began))
        .filter(file::Column::OpenaiFileId.is_not_null())
        .filter(unseen);
    if let Some(after) = after {
        select = select.filter(file::Column::Id.gt(after));
    }
    select.order_by_asc(file::Column::Id).limit(limit).all(db).await
}

/// The next findings with an outcome, of these kinds.
pub async fn of_outcome(
    db: &impl ConnectionTrait,
    reconcile: ReconcileId,
    outcome: &[FindingOutcome],
    kinds: &[FindingKind],
    after: Option<FindingId>,
    limit: u64,
) -> Result<Vec<finding::Model>, DbErr> {
    let mut select = Entity::find()
        .filter(Column::ReconcileId.eq(reconcile))
        .filter(Column::Outcome.is_in(outcome.iter().copied()));
    if !kinds.is_empty() {
        select = select.filter(Column::Kind.is_in(kinds.iter().copied()));
    }
    if let Some(after) = after {
        select = select.filter(Column::Id.gt(after));
    }
    select.order_by_asc(Column::Id).limit(limit).all(db).await
}

/// Writes what a look at a finding showed.
pub async fn judged(tx: &impl ConnectionTrait, finding: &finding::Model) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Kind, Expr::value(finding.kind))
        .col_expr(Column::Outcome, Expr::value(finding.outcome))
        .col_expr(Column::FileId, Expr::value(finding.file_id))
        .col_expr(Column::DocumentId, Expr::value(finding.document_id))
        .filter(Column::Id.eq(finding.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Writes what came of a finding.
pub async fn outcome(tx: &impl ConnectionTrait, id: FindingId, outcome: FindingOutcome) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(outcome))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

fn to_remove(reconcile: ReconcileId) -> Condition {
    Condition::all()
        .add(Column::ReconcileId.eq(reconcile))
        .add(Column::Outcome.eq(FindingOutcome::Confirmed))
        .add(Column::Kind.is_in(FindingKind::REMOVALS))
}

/// How many removals were confirmed and not begun.
pub async fn confirmed_removals(db: &impl ConnectionTrait, reconcile: ReconcileId) -> Result<u64, DbErr> {
    Entity::find().filter(to_remove(reconcile)).count(db).await
}

/// Holds the removals that were confirmed.
pub async fn hold(tx: &impl ConnectionTrait, reconcile: ReconcileId) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(FindingOutcome::Held))
        .filter(to_remove(reconcile))
        .exec(tx)
        .await?;
    Ok(())
}

/// How many findings have one of these outcomes.
pub async fn left(
    db: &impl ConnectionTrait,
    reconcile: ReconcileId,
    outcomes: &[FindingOutcome],
) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::ReconcileId.eq(reconcile))
        .filter(Column::Outcome.is_in(outcomes.iter().copied()))
        .count(db)
        .await
}

/// What is known of the page that a file of ours says it is of.
#[derive(Debug)]
pub struct Place {
    /// Its document, if there is one.
    pub document: Option<document::Model>,
    /// The document's live file, if it has one.
    pub live: Option<file::Model>,
    /// Whether the source has lately seen all that it selects: a page without a document is not wanted.
    pub is_settled: bool,
}

/// Looks up the page of a file.
pub async fn document_of(
    db: &impl ConnectionTrait,
    reconcile: &reconcile::Model,
    cloud_id: &str,
    page_id: &str,
    now: DateTime<Utc>,
) -> Result<Place, DbErr> {
    let source = source::Entity::find()
        .filter(source::Column::KnowledgeBaseId.eq(reconcile.knowledge_base_id))
        .filter(source::Column::CloudId.eq(cloud_id))
        .one(db)
        .await?;
    let Some(source) = source else {
        return Ok(Place { document: None, live: None, is_settled: true });
    };
    let document = document::Entity::find()
        .filter(document::Column::SourceId.eq(source.id))
        .filter(document::Column::ExternalId.eq(page_id))
        .one(db)
        .await?;
    let live = match &document {
        Some(document) => live_file(db, document.id).await?,
        None => None,
    };
    let is_settled = is_settled(db, &source, now).await?;
    Ok(Place { document, live, is_settled })
}

/// The live file of a document.
pub async fn live_file(
    db: &impl ConnectionTrait,
    document: DocumentId,
) -> Result<Option<file::Model>, DbErr> {
    file::Entity::find()
        .filter(file::Column::DocumentId.eq(document))
        .filter(FileRole::Live.is())
        .one(db)
        .await
}

/// Whether every selection of an active source was seen completely within the last day.
async fn is_settled(
    db: &impl ConnectionTrait,
    source: &source::Model,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let lately = now - TimeDelta::hours(24);
    let unseen = Condition::any()
        .add(selection::Column::VerifiedAt.is_null())
        .add(selection::Column::VerifiedAt.lt(lately));
    let unseen = selection::Entity::find()
        .filter(selection::Column::SourceId.eq(source.id))
        .filter(selection::Column::Mode.eq(SelectionMode::Include))
        .filter(unseen)
        .count(db)
        .await?;
    let checked = source.last_checked_at.is_some_and(|at| at >= lately);
    Ok(source.status == SourceStatus::Active && checked && unseen == 0)
}

/// Of these names, those of uploads whose answers are awaited.
pub async fn awaited(db: &impl ConnectionTrait, names: &[&str]) -> Result<HashSet<String>, DbErr> {
    let names = file::Entity::find()
        .select_only()
        .column(file::Column::FileName)
        .filter(file::Column::FileName.is_in(names.iter().copied()))
        .filter(file::Column::OpenaiFileId.is_null())
        .into_tuple::<String>()
        .all(db)
        .await?;
    Ok(names.into_iter().collect())
}

/// Whether another row has the name or the id of this one.
pub async fn name_is_taken(db: &impl ConnectionTrait, row: &file::Model) -> Result<bool, DbErr> {
    let same =
        Condition::any().add(file::Column::Id.eq(row.id)).add(file::Column::FileName.eq(&row.file_name));
    Ok(file::Entity::find().filter(same).count(db).await? > 0)
}
