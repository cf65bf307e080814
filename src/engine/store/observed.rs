//! What a run learned of selections, spaces and the nodes above documents.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use super::documents::PAGE;
use crate::{
    entity::{
        document, node,
        selection::{self, SelectionStatus},
        source, source_space,
    },
    ids::{SelectionId, SourceId},
};

/// The selections of a source.
pub async fn selections(db: &impl ConnectionTrait, source: SourceId) -> Result<Vec<selection::Model>, DbErr> {
    selection::Entity::find()
        .filter(selection::Column::SourceId.eq(source))
        .order_by_asc(selection::Column::Id)
        .all(db)
        .await
}

/// Notes under which account the documents of a source are observed.
pub async fn keep_account(tx: &impl ConnectionTrait, source: SourceId, account: &str) -> Result<(), DbErr> {
    source::Entity::update_many()
        .col_expr(source::Column::AccountId, Expr::value(account))
        .filter(source::Column::Id.eq(source))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes that a scope was seen completely.
pub async fn verified(
    tx: &impl ConnectionTrait,
    selections: &[SelectionId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    selection::Entity::update_many()
        .col_expr(selection::Column::VerifiedAt, Expr::value(now))
        .filter(selection::Column::Id.is_in(selections.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes whether what a selection names can be found; `problem_since` keeps its first value while the trouble lasts.
pub async fn set_status(
    tx: &impl ConnectionTrait,
    selection: &selection::Model,
    status: SelectionStatus,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let since = match status {
        SelectionStatus::Ok => None,
        _ if selection.status == status => selection.problem_since.or(Some(now)),
        _ => Some(now),
    };
    if selection.status == status && selection.problem_since == since {
        return Ok(());
    }
    let values =
        selection::ActiveModel { status: Set(status), problem_since: Set(since), ..Default::default() };
    selection::Entity::update_many()
        .set(values)
        .filter(selection::Column::Id.eq(selection.id))
        .exec(tx)
        .await?;
    Ok(())
}

/// The spaces a source has met, by id.
pub async fn spaces(
    db: &impl ConnectionTrait,
    source: SourceId,
) -> Result<HashMap<String, source_space::Model>, DbErr> {
    let rows = source_space::Entity::find().filter(source_space::Column::SourceId.eq(source)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.space_id.clone(), row)).collect())
}

/// Keeps a space's key and name; its watermark is left alone.
pub async fn keep_space(
    tx: &impl ConnectionTrait,
    source: SourceId,
    space_id: &str,
    key: &str,
    name: &str,
) -> Result<(), DbErr> {
    let row = source_space::ActiveModel {
        source_id: Set(source),
        space_id: Set(space_id.to_owned()),
        key: Set(key.to_owned()),
        name: Set(name.to_owned()),
        watermark: Set(None),
    };
    let conflict = OnConflict::columns([source_space::Column::SourceId, source_space::Column::SpaceId])
        .update_columns([source_space::Column::Key, source_space::Column::Name])
        .to_owned();
    source_space::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx).await?;
    Ok(())
}

/// Moves the watermark of spaces forward: everything older has been persisted.
pub async fn advance(
    tx: &impl ConnectionTrait,
    source: SourceId,
    spaces: &[String],
    watermark: DateTime<Utc>,
) -> Result<(), DbErr> {
    source_space::Entity::update_many()
        .col_expr(source_space::Column::Watermark, Expr::value(watermark))
        .filter(source_space::Column::SourceId.eq(source))
        .filter(source_space::Column::SpaceId.is_in(spaces.iter().map(String::as_str)))
        .filter(
            sea_orm::Condition::any()
                .add(source_space::Column::Watermark.is_null())
                .add(source_space::Column::Watermark.lt(watermark)),
        )
        .exec(tx)
        .await?;
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
        let documents: Vec<(String, String, Option<String>, Option<String>)> = document::Entity::find()
            .select_only()
            .columns([
                document::Column::ExternalId,
                document::Column::Title,
                document::Column::ParentId,
                document::Column::ParentKind,
            ])
            .filter(document::Column::SourceId.eq(source))
            .filter(document::Column::Kind.eq(PAGE))
            .filter(document::Column::State.ne(document::DocumentState::Removed))
            .filter(document::Column::ExternalId.is_in(some.iter().map(String::as_str)))
            .into_tuple()
            .all(db)
            .await?;
        found.extend(
            documents
                .into_iter()
                .map(|(id, title, parent_id, parent_kind)| (id, Above { title, parent_id, parent_kind })),
        );
    }
    Ok(found)
}

/// Keeps nodes above documents; answers the ids of those that were known otherwise before.
pub async fn keep_nodes(
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
