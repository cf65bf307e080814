//! Documents: what is known of them, what a plan makes of them, and what is still to be done for them.

mod apply;
mod paths;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
    sea_query::{Expr, ExprTrait, Query},
};

pub use apply::apply;
pub use paths::{describe_again, want_paths_below};

use crate::{
    engine::facts::Known,
    entity::{
        document::{self, DocumentState, Work},
        file::{self, FileRole},
    },
    ids::{DocumentId, SelectionId, SourceId},
};

/// The kind of document this engine makes.
pub const PAGE: &str = "page";

/// The documents of these pages, by page id.
pub async fn by_pages(
    db: &impl ConnectionTrait,
    source: SourceId,
    pages: &[&str],
) -> Result<HashMap<String, Known>, DbErr> {
    let which = document::Column::ExternalId.is_in(pages.iter().copied());
    let rows: Vec<Row> = pages_of(source).filter(which).into_tuple().all(db).await?;
    Ok(rows.into_iter().map(known).map(|known| (known.page_id.clone(), known)).collect())
}

/// The next documents that are not removed, in the order of their ids.
pub async fn present_after(
    db: &impl ConnectionTrait,
    source: SourceId,
    after: Option<DocumentId>,
    limit: u64,
) -> Result<Vec<Known>, DbErr> {
    let mut select = pages_of(source).filter(document::Column::State.ne(DocumentState::Removed));
    if let Some(after) = after {
        select = select.filter(document::Column::Id.gt(after));
    }
    let rows: Vec<Row> = select.order_by_asc(document::Column::Id).limit(limit).into_tuple().all(db).await?;
    Ok(rows.into_iter().map(known).collect())
}

/// The documents that were absent when last looked for, those looked for longest ago first.
pub async fn suspects(db: &impl ConnectionTrait, source: SourceId, limit: u64) -> Result<Vec<Known>, DbErr> {
    let rows: Vec<Row> = pages_of(source)
        .filter(document::Column::State.eq(DocumentState::Suspect))
        .order_by_asc(document::Column::VerifiedAt)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(known).collect())
}

/// Notes that documents were looked for.
pub async fn looked_at(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in documents.chunks(500) {
        document::Entity::update_many()
            .col_expr(document::Column::VerifiedAt, Expr::value(now))
            .filter(document::Column::Id.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// The columns of a [`Known`]: every tick reads them of every document.
type Row = (
    DocumentId,
    String,
    DocumentState,
    Work,
    Option<SelectionId>,
    i64,
    Option<i64>,
    String,
    String,
    String,
    Option<String>,
    Option<DateTime<Utc>>,
);

/// The pages of a source, as rows.
fn pages_of(source: SourceId) -> Select<document::Entity> {
    document::Entity::find()
        .select_only()
        .columns([
            document::Column::Id,
            document::Column::ExternalId,
            document::Column::State,
            document::Column::Work,
            document::Column::SelectionId,
            document::Column::WantedVersion,
            document::Column::LiveVersion,
            document::Column::Title,
            document::Column::Url,
            document::Column::SpaceId,
            document::Column::ParentId,
            document::Column::SuspectSince,
        ])
        .filter(document::Column::SourceId.eq(source))
        .filter(document::Column::Kind.eq(PAGE))
}

fn known(row: Row) -> Known {
    let (id, page_id, state, work, selection_id, wanted_version, live_version, title, url, ..) = row;
    let (.., space_id, parent_id, suspect_since) = row;
    Known {
        id,
        page_id,
        state,
        work,
        selection_id,
        wanted_version,
        live_version,
        title,
        url,
        space_id,
        parent_id,
        suspect_since,
    }
}

/// A document that a run has something to do for.
#[derive(Clone, Debug)]
pub struct Item {
    /// The document.
    pub document: document::Model,
    /// Its live file, if it has one.
    pub live: Option<file::Model>,
}

/// The next documents with work of one kind, in the order of their ids, without those that wait: for their retry, for
/// a file that is on its way, or as suspects for a sign of life.
pub async fn to_do(
    db: &impl ConnectionTrait,
    source: SourceId,
    work: Work,
    after: Option<DocumentId>,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<Vec<Item>, DbErr> {
    let under_way = Query::select()
        .column(file::Column::DocumentId)
        .from(file::Entity)
        .and_where(file::Column::SourceId.eq(source))
        .and_where(FileRole::Candidate.is())
        .take();
    let mut select = document::Entity::find()
        .filter(document::Column::SourceId.eq(source))
        .filter(work.is())
        .filter(document::Column::State.is_not_in([DocumentState::Removed, DocumentState::Suspect]))
        .filter(document::Column::Id.not_in_subquery(under_way))
        .filter(
            Condition::any().add(document::Column::RetryAt.is_null()).add(document::Column::RetryAt.lte(now)),
        );
    if let Some(after) = after {
        select = select.filter(document::Column::Id.gt(after));
    }
    let documents = select.order_by_asc(document::Column::Id).limit(limit).all(db).await?;
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let mut live = HashMap::new();
    if work != Work::Create {
        let files = file::Entity::find()
            .filter(file::Column::DocumentId.is_in(documents.iter().map(|document| document.id)))
            .filter(FileRole::Live.is())
            .all(db)
            .await?;
        live.extend(files.into_iter().map(|file| (file.document_id, file)));
    }
    Ok(documents.into_iter().map(|document| Item { live: live.remove(&document.id), document }).collect())
}

/// How many documents each selection of a source brings in.
pub async fn sizes(db: &impl ConnectionTrait, source: SourceId) -> Result<HashMap<SelectionId, i64>, DbErr> {
    let rows: Vec<(Option<SelectionId>, i64)> = document::Entity::find()
        .select_only()
        .column(document::Column::SelectionId)
        .expr_as(Expr::col(document::Column::Id).count(), "size")
        .filter(document::Column::SourceId.eq(source))
        .filter(document::Column::State.ne(DocumentState::Removed))
        .group_by(document::Column::SelectionId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().filter_map(|(selection, size)| Some((selection?, size))).collect())
}

/// The selections of which pages wait to be loaded for the first time, those that wait for something else than points aside.
pub async fn loading(db: &impl ConnectionTrait, source: SourceId) -> Result<HashSet<SelectionId>, DbErr> {
    let rows: Vec<Option<SelectionId>> = document::Entity::find()
        .select_only()
        .column(document::Column::SelectionId)
        .distinct()
        .filter(document::Column::SourceId.eq(source))
        .filter(Work::Create.is())
        .filter(document::Column::State.eq(DocumentState::Pending))
        .filter(document::Column::Reason.is_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().flatten().collect())
}

/// How many documents of each space are there, suspects aside.
pub async fn counts(db: &impl ConnectionTrait, source: SourceId) -> Result<HashMap<String, i64>, DbErr> {
    let rows: Vec<(String, i64)> = document::Entity::find()
        .select_only()
        .column(document::Column::SpaceId)
        .expr_as(Expr::col(document::Column::Id).count(), "size")
        .filter(document::Column::SourceId.eq(source))
        .filter(document::Column::State.is_not_in([DocumentState::Removed, DocumentState::Suspect]))
        .group_by(document::Column::SpaceId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Of these documents, those that have no live file: removing them takes nothing out of the store.
pub async fn without_file(
    db: &impl ConnectionTrait,
    documents: &[DocumentId],
) -> Result<Vec<DocumentId>, DbErr> {
    let mut found = Vec::new();
    for some in documents.chunks(500) {
        let ids: Vec<DocumentId> = document::Entity::find()
            .select_only()
            .column(document::Column::Id)
            .filter(document::Column::Id.is_in(some.iter().copied()))
            .filter(document::Column::LiveVersion.is_null())
            .into_tuple()
            .all(db)
            .await?;
        found.extend(ids);
    }
    Ok(found)
}

/// Documents by their ids.
pub async fn by_ids(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = DocumentId>,
) -> Result<HashMap<DocumentId, document::Model>, DbErr> {
    let ids: Vec<DocumentId> = ids.into_iter().collect();
    let mut found = HashMap::new();
    for some in ids.chunks(500) {
        let rows =
            document::Entity::find().filter(document::Column::Id.is_in(some.iter().copied())).all(db).await?;
        found.extend(rows.into_iter().map(|row| (row.id, row)));
    }
    Ok(found)
}
