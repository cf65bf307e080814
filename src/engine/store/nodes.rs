//! Folders and pages above the documents: what paths are made of.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, OnConflict},
};

use super::documents::PAGE;
use crate::{
    entity::{
        document::{self, DocumentState},
        node,
    },
    ids::{DocumentId, SourceId},
};

/// The kind of a node that is a page.
pub const PAGE_NODE: &str = "page";

/// A node that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Confluence's id of it.
    pub id: String,
    /// `page`, `folder` or another.
    pub kind: String,
}

/// The nodes of a source, those read longest ago first.
pub async fn by_age(db: &impl ConnectionTrait, source: SourceId) -> Result<Vec<Node>, DbErr> {
    let rows: Vec<(String, String)> = node::Entity::find()
        .select_only()
        .columns([node::Column::ExternalId, node::Column::Kind])
        .filter(node::Column::SourceId.eq(source))
        .order_by_asc(node::Column::ReadAt)
        .order_by_asc(node::Column::ExternalId)
        .into_tuple()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(id, kind)| Node { id, kind }).collect())
}

/// Of these nodes, those with a document or another node right below them.
pub async fn with_something_below(
    db: &impl ConnectionTrait,
    source: SourceId,
    ids: &[String],
) -> Result<HashSet<String>, DbErr> {
    let mut used = HashSet::new();
    for some in ids.chunks(500) {
        let these = || some.iter().map(String::as_str);
        let documents: Vec<Option<String>> = document::Entity::find()
            .select_only()
            .column(document::Column::ParentId)
            .distinct()
            .filter(document::Column::SourceId.eq(source))
            .filter(document::Column::ParentId.is_in(these()))
            .filter(document::Column::State.ne(DocumentState::Removed))
            .into_tuple()
            .all(db)
            .await?;
        let nodes: Vec<Option<String>> = node::Entity::find()
            .select_only()
            .column(node::Column::ParentId)
            .distinct()
            .filter(node::Column::SourceId.eq(source))
            .filter(node::Column::ParentId.is_in(these()))
            .into_tuple()
            .all(db)
            .await?;
        used.extend(documents.into_iter().chain(nodes).flatten());
    }
    Ok(used)
}

/// Keeps documents as nodes that are no longer wanted while something below them is: paths still go through them.
pub async fn stand_in(
    tx: &impl ConnectionTrait,
    source: SourceId,
    documents: &[DocumentId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in documents.chunks(500) {
        let rows: Vec<Row> =
            pages().filter(document::Column::Id.is_in(some.iter().copied())).into_tuple().all(tx).await?;
        let ids: Vec<String> = rows.iter().map(|(id, ..)| id.clone()).collect();
        let used = with_something_below(tx, source, &ids).await?;
        let used = rows.into_iter().map(named).filter(|(id, _)| used.contains(id));
        let nodes = used.map(|(id, above)| (id, PAGE_NODE.to_owned(), above));
        keep(tx, source, nodes.collect(), now).await?;
    }
    Ok(())
}

/// Notes that nodes were asked for.
pub async fn touch(
    tx: &impl ConnectionTrait,
    source: SourceId,
    ids: &[String],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in ids.chunks(500) {
        node::Entity::update_many()
            .col_expr(node::Column::ReadAt, Expr::value(now))
            .filter(node::Column::SourceId.eq(source))
            .filter(node::Column::ExternalId.is_in(some.iter().map(String::as_str)))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Forgets nodes.
pub async fn forget(tx: &impl ConnectionTrait, source: SourceId, ids: &[String]) -> Result<(), DbErr> {
    for some in ids.chunks(500) {
        node::Entity::delete_many()
            .filter(node::Column::SourceId.eq(source))
            .filter(node::Column::ExternalId.is_in(some.iter().map(String::as_str)))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// A node that a path goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    /// Its title.
    pub title: String,
    /// What it hangs below.
    pub parent_id: Option<String>,
    /// The kind of that parent.
    pub parent_kind: Option<String>,
}

/// What a document is as a node: its id, title, parent and the kind of that.
type Row = (String, String, Option<String>, Option<String>);

/// Documents as [`Row`]s.
fn pages() -> Select<document::Entity> {
    document::Entity::find().select_only().columns([
        document::Column::ExternalId,
        document::Column::Title,
        document::Column::ParentId,
        document::Column::ParentKind,
    ])
}

fn named((id, title, parent_id, parent_kind): Row) -> (String, Above) {
    (id, Above { title, parent_id, parent_kind })
}

/// The nodes with these ids, from the documents and from the nodes above them.
pub async fn above(
    db: &impl ConnectionTrait,
    source: SourceId,
    ids: &[String],
) -> Result<HashMap<String, Above>, DbErr> {
    let mut found = HashMap::new();
    for some in ids.chunks(500) {
        let nodes = node::Entity::find()
            .filter(node::Column::SourceId.eq(source))
            .filter(node::Column::ExternalId.is_in(some.iter().map(String::as_str)))
            .all(db)
            .await?;
        found.extend(nodes.into_iter().map(|row| {
            let above = Above { title: row.title, parent_id: row.parent_id, parent_kind: row.parent_kind };
            (row.external_id, above)
        }));
        let documents: Vec<Row> = pages()
            .filter(document::Column::SourceId.eq(source))
            .filter(document::Column::Kind.eq(PAGE))
            .filter(document::Column::State.ne(DocumentState::Removed))
            .filter(document::Column::ExternalId.is_in(some.iter().map(String::as_str)))
            .into_tuple()
            .all(db)
            .await?;
        found.extend(documents.into_iter().map(named));
    }
    Ok(found)
}

/// Keeps nodes above documents; answers the ids of those that were known otherwise before.
pub async fn keep(
    tx: &impl ConnectionTrait,
    source: SourceId,
    nodes: Vec<(String, String, Above)>,
    now: DateTime<Utc>,
) -> Result<Vec<String>, DbErr> {
    let mut changed = Vec::new();
    for some in nodes.chunks(500) {
        let ids = some.iter().map(|(id, ..)| id.as_str());
        let before: HashMap<String, node::Model> = node::Entity::find()
            .filter(node::Column::SourceId.eq(source))
            .filter(node::Column::ExternalId.is_in(ids))
            .all(tx)
            .await?
            .into_iter()
            .map(|row| (row.external_id.clone(), row))
            .collect();
        let other = |id: &str, above: &Above| {
            before.get(id).is_some_and(|row| row.title != above.title || row.parent_id != above.parent_id)
        };
        changed.extend(some.iter().filter(|(id, _, above)| other(id, above)).map(|(id, ..)| id.clone()));
        let fresh: Vec<_> = some
            .iter()
            .filter(|(id, _, above)| !before.contains_key(id) || other(id, above))
            .map(|(id, kind, above)| node::ActiveModel {
                source_id: Set(source),
                external_id: Set(id.clone()),
                kind: Set(kind.clone()),
                title: Set(above.title.clone()),
                parent_id: Set(above.parent_id.clone()),
                parent_kind: Set(above.parent_kind.clone()),
                read_at: Set(now),
            })
            .collect();
        if fresh.is_empty() {
            continue;
        }
        let conflict = OnConflict::columns([node::Column::SourceId, node::Column::ExternalId])
            .update_columns([
                node::Column::Title,
                node::Column::ParentId,
                node::Column::ParentKind,
                node::Column::ReadAt,
            ])
            .to_owned();
        node::Entity::insert_many(fresh).on_conflict(conflict).exec_without_returning(tx).await?;
    }
    Ok(changed)
}
