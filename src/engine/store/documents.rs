//! Documents: what is known of them, what a plan makes of them, and what is still to be done for them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::{
    engine::{
        facts::{Fact, Known},
        plan::Change,
    },
    entity::{
        Evidence,
        document::{self, DocumentState, Work},
        file::{self, FileRole},
        node, source,
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

/// The documents that were absent when last looked for.
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

/// Writes what a plan makes of documents, removals excepted. Answers for how many of them there is something to do.
pub async fn apply(
    tx: &impl ConnectionTrait,
    source: &source::Model,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let mut fresh = Vec::new();
    let mut work = 0;
    for change in changes {
        match change {
            Change::Create { document: None, fact, selection } => {
                fresh.push(row(source, fact, *selection, now));
                work += 1;
            }
            Change::Create { document: Some(document), fact, selection } => {
                restore(tx, *document, fact, *selection, now).await?;
                work += 1;
            }
            Change::Revise { document, fact, selection, .. } => {
                revise(tx, *document, fact, *selection, now).await?;
                work += 1;
            }
            Change::Metadata { document, fact, selection } => {
                work += relocate(tx, *document, fact, *selection, now).await?;
            }
            Change::Assign { document, selection } | Change::Release { document, selection } => {
                release(tx, *document, *selection, now).await?;
            }
            Change::Suspect { document, evidence } => suspect(tx, *document, evidence, now).await?,
            Change::Remove { .. } => {}
        }
    }
    if !fresh.is_empty() {
        document::Entity::insert_many(fresh).exec_without_returning(tx).await?;
    }
    Ok(work)
}

fn row(
    source: &source::Model,
    fact: &Fact,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> document::ActiveModel {
    document::ActiveModel {
        id: Set(DocumentId::new()),
        workspace_id: Set(source.workspace_id),
        source_id: Set(source.id),
        kind: Set(PAGE.to_owned()),
        external_id: Set(fact.page_id.clone()),
        selection_id: Set(Some(selection)),
        title: Set(fact.title.clone()),
        url: Set(fact.url.clone()),
        space_id: Set(fact.space_id.clone()),
        parent_id: Set(fact.parent_id.clone()),
        parent_kind: Set(fact.parent_kind.clone()),
        state: Set(DocumentState::Pending),
        reason: Set(Some("new".to_owned())),
        message: Set(None),
        work: Set(Work::Create),
        wanted_version: Set(fact.version),
        rendered_version: Set(None),
        live_version: Set(None),
        edited_at: Set(fact.edited_at),
        detected_at: Set(now),
        searchable_at: Set(None),
        verified_at: Set(Some(now)),
        suspect_since: Set(None),
        evidence: Set(None),
        failures: Set(0),
        retry_at: Set(None),
        refused_sha256: Set(None),
        removed_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    }
}

/// What a fact says of a page's place.
fn place(fact: &Fact, selection: SelectionId, now: DateTime<Utc>) -> document::ActiveModel {
    document::ActiveModel {
        selection_id: Set(Some(selection)),
        title: Set(fact.title.clone()),
        url: Set(fact.url.clone()),
        space_id: Set(fact.space_id.clone()),
        parent_id: Set(fact.parent_id.clone()),
        parent_kind: Set(fact.parent_kind.clone()),
        verified_at: Set(Some(now)),
        suspect_since: Set(None),
        evidence: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
}

async fn update(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    values: document::ActiveModel,
) -> Result<(), DbErr> {
    document::Entity::update_many().set(values).filter(document::Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

async fn restore(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    fact: &Fact,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        state: Set(DocumentState::Pending),
        reason: Set(Some("returned".to_owned())),
        message: Set(None),
        work: Set(Work::Create),
        wanted_version: Set(fact.version),
        rendered_version: Set(None),
        live_version: Set(None),
        edited_at: Set(fact.edited_at),
        detected_at: Set(now),
        searchable_at: Set(None),
        failures: Set(0),
        retry_at: Set(None),
        removed_at: Set(None),
        ..place(fact, selection, now)
    };
    update(tx, id, values).await
}

/// A newer version: whoever failed before is tried again at once.
async fn revise(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    fact: &Fact,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        wanted_version: Set(fact.version),
        edited_at: Set(fact.edited_at),
        detected_at: Set(now),
        failures: Set(0),
        retry_at: Set(None),
        ..place(fact, selection, now)
    };
    update(tx, id, values).await?;
    back_to_live(tx, id).await?;
    document::Entity::update_many()
        .col_expr(
            document::Column::Work,
            Expr::case(Expr::col(document::Column::LiveVersion).is_null(), Work::Create)
                .finally(Work::Revise)
                .into(),
        )
        .filter(document::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

async fn relocate(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    fact: &Fact,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    update(tx, id, place(fact, selection, now)).await?;
    back_to_live(tx, id).await?;
    want_metadata(tx, Condition::all().add(document::Column::Id.eq(id))).await
}

/// Makes the attributes of documents due that have a live file and nothing more urgent to do. Answers how many.
async fn want_metadata(tx: &impl ConnectionTrait, which: Condition) -> Result<u64, DbErr> {
    let result = document::Entity::update_many()
        .col_expr(document::Column::Work, Expr::value(Work::Metadata))
        .filter(which)
        .filter(document::Column::Work.eq(Work::None))
        .filter(document::Column::LiveVersion.is_not_null())
        .filter(document::Column::State.ne(DocumentState::Removed))
        .exec(tx)
        .await?;
    Ok(result.rows_affected)
}

/// Makes the attributes of everything below these pages and folders due: their paths changed.
pub async fn want_paths_below(
    tx: &impl ConnectionTrait,
    source: SourceId,
    mut parents: Vec<String>,
) -> Result<u64, DbErr> {
    const DEEPEST: usize = 64;
    let mut changed = 0;
    for _ in 0..DEEPEST {
        let mut below = Vec::new();
        for some in parents.chunks(500) {
            let children = Condition::all()
                .add(document::Column::SourceId.eq(source))
                .add(document::Column::ParentId.is_in(some.iter().map(String::as_str)));
            let pages = document::Entity::find()
                .select_only()
                .column(document::Column::ExternalId)
                .filter(children.clone())
                .into_tuple::<String>()
                .all(tx)
                .await?;
            let nodes = node::Entity::find()
                .select_only()
                .column(node::Column::ExternalId)
                .filter(node::Column::SourceId.eq(source))
                .filter(node::Column::ParentId.is_in(some.iter().map(String::as_str)))
                .into_tuple::<String>()
                .all(tx)
                .await?;
            changed += want_metadata(tx, children).await?;
            below.extend(pages.into_iter().chain(nodes));
        }
        if below.is_empty() {
            break;
        }
        parents = below;
    }
    Ok(changed)
}

async fn release(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        selection_id: Set(Some(selection)),
        verified_at: Set(Some(now)),
        suspect_since: Set(None),
        evidence: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, id, values).await?;
    back_to_live(tx, id).await
}

/// A suspect page that was seen again is what it was: live, or still to be brought in.
async fn back_to_live(tx: &impl ConnectionTrait, id: DocumentId) -> Result<(), DbErr> {
    let never_live = || Expr::col(document::Column::LiveVersion).is_null();
    document::Entity::update_many()
        .col_expr(
            document::Column::State,
            Expr::case(never_live(), DocumentState::Pending).finally(DocumentState::Live).into(),
        )
        .col_expr(
            document::Column::Work,
            Expr::case(never_live(), Work::Create).finally(Expr::col(document::Column::Work)).into(),
        )
        .col_expr(document::Column::Reason, Expr::value(Option::<String>::None))
        .col_expr(document::Column::Message, Expr::value(Option::<String>::None))
        .filter(document::Column::Id.eq(id))
        .filter(document::Column::State.eq(DocumentState::Suspect))
        .exec(tx)
        .await?;
    Ok(())
}

/// An absent page: it stays in the store; one that never came in is only marked.
async fn suspect(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        state: Set(DocumentState::Suspect),
        reason: Set(Some("absent".to_owned())),
        message: Set(Some(
            "Confluence no longer shows this page; it is removed if it stays away.".to_owned(),
        )),
        suspect_since: Set(Some(now)),
        evidence: Set(Some(evidence.clone())),
        verified_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, id, values).await
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

/// How many sources are being kept true.
pub async fn active_sources(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let count: Option<i64> = source::Entity::find()
        .select_only()
        .expr_as(Expr::col(source::Column::Id).count(), "active")
        .filter(source::Column::Status.eq(source::SourceStatus::Active))
        .into_tuple()
        .one(db)
        .await?;
    Ok(count.unwrap_or_default().unsigned_abs())
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
