//! What a run learned of selections and spaces.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

use crate::{
    entity::{
        selection::{self, Listing, SelectionStatus},
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

/// Notes that scopes were seen completely.
pub async fn verified(
    tx: &impl ConnectionTrait,
    selections: &[SelectionId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    selection::Entity::update_many()
        .col_expr(selection::Column::VerifiedAt, Expr::value(now))
        .col_expr(selection::Column::Listing, Expr::value(Option::<serde_json::Value>::None))
        .filter(selection::Column::Id.is_in(selections.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes how far a space was listed, and since when all of it has been looked for, if it was.
pub async fn keep_listing(
    tx: &impl ConnectionTrait,
    space: SelectionId,
    listing: &Listing,
    verified_at: Option<DateTime<Utc>>,
) -> Result<(), DbErr> {
    let mut values = selection::ActiveModel { listing: Set(Some(listing.clone())), ..Default::default() };
    if verified_at.is_some() {
        values.verified_at = Set(verified_at);
    }
    selection::Entity::update_many().set(values).filter(selection::Column::Id.eq(space)).exec(tx).await?;
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

/// Notes the space that a tree's root is in now: it may have been moved since it was selected.
pub async fn follow(
    tx: &impl ConnectionTrait,
    selection: &selection::Model,
    space_id: &str,
) -> Result<(), DbErr> {
    if selection.space_id.as_deref() != Some(space_id) {
        selection::Entity::update_many()
            .col_expr(selection::Column::SpaceId, Expr::value(space_id))
            .filter(selection::Column::Id.eq(selection.id))
            .exec(tx)
            .await?;
    }
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

/// Keeps the key and name of a space that can be seen; its watermark is left alone.
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
        hidden_since: Set(None),
        search_surplus: Set(None),
    };
    let conflict = OnConflict::columns([source_space::Column::SourceId, source_space::Column::SpaceId])
        .update_columns([
            source_space::Column::Key,
            source_space::Column::Name,
            source_space::Column::HiddenSince,
        ])
        .to_owned();
    source_space::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx).await?;
    Ok(())
}

/// Notes that spaces that were met before cannot be seen; the first time counts.
pub async fn hide_spaces(
    tx: &impl ConnectionTrait,
    source: SourceId,
    spaces: &[&str],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    source_space::Entity::update_many()
        .col_expr(source_space::Column::HiddenSince, Expr::value(now))
        .filter(source_space::Column::SourceId.eq(source))
        .filter(source_space::Column::SpaceId.is_in(spaces.iter().copied()))
        .filter(source_space::Column::HiddenSince.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

/// Keeps how many more pages the search counted in a space than there are documents.
pub async fn keep_surplus(
    tx: &impl ConnectionTrait,
    source: SourceId,
    space_id: &str,
    surplus: i64,
) -> Result<(), DbErr> {
    source_space::Entity::update_many()
        .col_expr(source_space::Column::SearchSurplus, Expr::value(surplus))
        .filter(source_space::Column::SourceId.eq(source))
        .filter(source_space::Column::SpaceId.eq(space_id))
        .exec(tx)
        .await?;
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
