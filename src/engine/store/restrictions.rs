//! What is known of who may read pages and folders, and the documents that it concerns.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, NullOrdering, OnConflict, Order, Query, SelectStatement},
};

use super::documents::PAGE;
use crate::{
    entity::{
        document::{self, DocumentState, Work},
        node, restriction,
    },
    ids::SourceId,
};

/// Of these pages and folders, whether each is restricted on itself, as far as it has not changed since that was read.
pub async fn known(
    db: &impl ConnectionTrait,
    source: SourceId,
    ids: &[String],
) -> Result<HashMap<String, bool>, DbErr> {
    let mut known = HashMap::new();
    for some in ids.chunks(500) {
        let rows: Vec<(String, bool)> = restriction::Entity::find()
            .select_only()
            .columns([restriction::Column::ExternalId, restriction::Column::Restricted])
            .filter(these(source, some))
            .filter(restriction::Column::ReadAt.is_not_null())
            .into_tuple()
            .all(db)
            .await?;
        known.extend(rows);
    }
    Ok(known)
}

/// Whether nothing was ever read for a source.
pub async fn is_new(db: &impl ConnectionTrait, source: SourceId) -> Result<bool, DbErr> {
    let theirs = restriction::Column::SourceId.eq(source);
    Ok(restriction::Entity::find().filter(theirs).one(db).await?.is_none())
}

/// Keeps what was read.
pub async fn keep(
    tx: &impl ConnectionTrait,
    source: SourceId,
    read: &HashMap<String, bool>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let rows: Vec<restriction::ActiveModel> = read
        .iter()
        .map(|(id, restricted)| restriction::ActiveModel {
            source_id: Set(source),
            external_id: Set(id.clone()),
            restricted: Set(*restricted),
            read_at: Set(Some(now)),
            asked_at: Set(Some(now)),
        })
        .collect();
    write(
        tx,
        rows,
        &[restriction::Column::Restricted, restriction::Column::ReadAt, restriction::Column::AskedAt],
    )
    .await
}

/// Notes that these were asked for, and not answered: others come first the next time.
pub async fn pass_over(
    tx: &impl ConnectionTrait,
    source: SourceId,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let rows = ids.iter().map(|id| restriction::ActiveModel {
        source_id: Set(source),
        external_id: Set(id.clone()),
        restricted: Set(false),
        read_at: Set(None),
        asked_at: Set(Some(now)),
    });
    write(tx, rows.collect(), &[restriction::Column::AskedAt]).await
}

/// Adds rows; of those that are there only some columns change.
async fn write(
    tx: &impl ConnectionTrait,
    rows: Vec<restriction::ActiveModel>,
    columns: &[restriction::Column],
) -> Result<(), DbErr> {
    for some in rows.chunks(500) {
        let conflict = OnConflict::columns([restriction::Column::SourceId, restriction::Column::ExternalId])
            .update_columns(columns.iter().copied())
            .to_owned();
        restriction::Entity::insert_many(some.to_vec())
            .on_conflict(conflict)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

/// Notes that pages or folders have changed. What was restricted counts as restricted until it is read again, what was
/// not as unknown.
pub async fn outdate(tx: &impl ConnectionTrait, source: SourceId, ids: &[String]) -> Result<(), DbErr> {
    for some in ids.chunks(500) {
        restriction::Entity::update_many()
            .col_expr(restriction::Column::ReadAt, Expr::value(Option::<DateTime<Utc>>::None))
            .col_expr(restriction::Column::AskedAt, Expr::value(Option::<DateTime<Utc>>::None))
            .filter(these(source, some))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Forgets what is known of these.
pub async fn forget(tx: &impl ConnectionTrait, source: SourceId, ids: &[String]) -> Result<(), DbErr> {
    for some in ids.chunks(500) {
        restriction::Entity::delete_many().filter(these(source, some)).exec(tx).await?;
    }
    Ok(())
}

/// Forgets everything that is known for a source.
pub async fn forget_all(tx: &impl ConnectionTrait, source: SourceId) -> Result<(), DbErr> {
    let theirs = restriction::Column::SourceId.eq(source);
    restriction::Entity::delete_many().filter(theirs).exec(tx).await?;
    Ok(())
}

fn these(source: SourceId, ids: &[String]) -> Condition {
    Condition::all()
        .add(restriction::Column::SourceId.eq(source))
        .add(restriction::Column::ExternalId.is_in(ids.iter().map(String::as_str)))
}

/// Pages of which it is not known who may read them now: those that are about to be rendered, or those in the store that
/// were never asked for.
pub async fn unread(
    db: &impl ConnectionTrait,
    source: SourceId,
    to_render: bool,
    limit: u64,
) -> Result<Vec<String>, DbErr> {
    let rendering = || Condition::any().add(Work::Create.is()).add(Work::Revise.is());
    let which = if to_render {
        rendering()
    } else {
        Condition::all().add(document::Column::LiveVersion.is_not_null()).add(rendering().not())
    };
    let mut known = asked_for();
    if to_render {
        known.and_where(Expr::col((restriction::Entity, restriction::Column::ReadAt)).is_not_null());
    }
    pages(source)
        .filter(which)
        .filter(Expr::not_exists(known))
        .order_by_asc(document::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// The ids of a source's pages, removed ones excepted.
fn pages(source: SourceId) -> sea_orm::Select<document::Entity> {
    document::Entity::find()
        .select_only()
        .column(document::Column::ExternalId)
        .filter(document::Column::SourceId.eq(source))
        .filter(document::Column::Kind.eq(PAGE))
        .filter(document::Column::State.ne(DocumentState::Removed))
}

fn asked_for() -> SelectStatement {
    let same = |theirs: restriction::Column, ours: document::Column| {
        Expr::col((restriction::Entity, theirs)).equals((document::Entity, ours))
    };
    Query::select()
        .column((restriction::Entity, restriction::Column::ExternalId))
        .from(restriction::Entity)
        .and_where(same(restriction::Column::SourceId, document::Column::SourceId))
        .and_where(same(restriction::Column::ExternalId, document::Column::ExternalId))
        .take()
}

/// What has changed since it was read, then what was asked for longest ago, before then.
pub async fn oldest(
    db: &impl ConnectionTrait,
    source: SourceId,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<String>, DbErr> {
    let is_due = Condition::any()
        .add(restriction::Column::AskedAt.is_null())
        .add(restriction::Column::AskedAt.lt(before));
    restriction::Entity::find()
        .select_only()
        .column(restriction::Column::ExternalId)
        .filter(restriction::Column::SourceId.eq(source))
        .filter(is_due)
        .order_by_with_nulls(restriction::Column::AskedAt, Order::Asc, NullOrdering::First)
        .order_by_asc(restriction::Column::ExternalId)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Of these, those that are neither a document nor a node above one any more.
pub async fn unused(
    db: &impl ConnectionTrait,
    source: SourceId,
    ids: &[String],
) -> Result<Vec<String>, DbErr> {
    let mut used: HashSet<String> = HashSet::new();
    for some in ids.chunks(500) {
        let these = || some.iter().map(String::as_str);
        let which = document::Column::ExternalId.is_in(these());
        let documents: Vec<String> = pages(source).filter(which).into_tuple().all(db).await?;
        let nodes: Vec<String> =
            nodes(source).filter(node::Column::ExternalId.is_in(these())).into_tuple().all(db).await?;
        used.extend(documents.into_iter().chain(nodes));
    }
    Ok(ids.iter().filter(|id| !used.contains(*id)).cloned().collect())
}

fn nodes(source: SourceId) -> sea_orm::Select<node::Entity> {
    node::Entity::find()
        .select_only()
        .column(node::Column::ExternalId)
        .filter(node::Column::SourceId.eq(source))
}

/// Everything that is restricted, on itself or by what is above it.
pub async fn hidden(db: &impl ConnectionTrait, source: SourceId) -> Result<HashSet<String>, DbErr> {
    let mut tops: Vec<String> = restriction::Entity::find()
        .select_only()
        .column(restriction::Column::ExternalId)
        .filter(restriction::Column::SourceId.eq(source))
        .filter(Expr::col(restriction::Column::Restricted))
        .into_tuple()
        .all(db)
        .await?;
    let mut hidden: HashSet<String> = tops.iter().cloned().collect();
    while !tops.is_empty() {
        let mut below = Vec::new();
        for some in tops.chunks(500) {
            below.extend(right_below(db, source, some).await?);
        }
        below.retain(|id| hidden.insert(id.clone()));
        tops = below;
    }
    Ok(hidden)
}

/// The pages and other nodes right below these. What is a document is where its document says.
async fn right_below(
    db: &impl ConnectionTrait,
    source: SourceId,
    parents: &[String],
) -> Result<Vec<String>, DbErr> {
    let these = || parents.iter().map(String::as_str);
    let mut below: Vec<String> =
        pages(source).filter(document::Column::ParentId.is_in(these())).into_tuple().all(db).await?;
    let its_document = Query::select()
        .column((document::Entity, document::Column::Id))
        .from(document::Entity)
        .and_where(
            Expr::col((document::Entity, document::Column::SourceId))
                .equals((node::Entity, node::Column::SourceId)),
        )
        .and_where(
            Expr::col((document::Entity, document::Column::ExternalId))
                .equals((node::Entity, node::Column::ExternalId)),
        )
        .and_where(document::Column::Kind.eq(PAGE))
        .and_where(document::Column::State.ne(DocumentState::Removed))
        .take();
    let others: Vec<String> = nodes(source)
        .filter(node::Column::ParentId.is_in(these()))
        .filter(Expr::not_exists(its_document))
        .into_tuple()
        .all(db)
        .await?;
    below.extend(others);
    Ok(below)
}
