//! The ledger of Confluence points: what each consumer of an app spent in an hour.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use crate::entity::points;

/// The ledger keeps this many hours.
const KEPT: TimeDelta = TimeDelta::hours(72);

/// Adds `spent` points to what `consumer` spent of `app`'s quota in the hour of `at`. The vendor's quota starts anew at
/// the top of each UTC hour.
pub async fn spend_points(
    db: &impl ConnectionTrait,
    app: &str,
    at: DateTime<Utc>,
    consumer: &str,
    spent: u64,
) -> Result<(), DbErr> {
    if spent == 0 {
        return Ok(());
    }
    let row = points::ActiveModel {
        app: Set(app.to_owned()),
        hour: Set(hour_of(at)),
        consumer: Set(consumer.to_owned()),
        spent: Set(i64::try_from(spent).unwrap_or(i64::MAX)),
    };
    let sum = Expr::col((points::Entity, points::Column::Spent))
        .add(Expr::col(("excluded", points::Column::Spent)));
    let mut conflict =
        OnConflict::columns([points::Column::App, points::Column::Hour, points::Column::Consumer]);
    conflict.value(points::Column::Spent, sum);
    points::Entity::insert(row).on_conflict(conflict).exec_without_returning(db).await.map(|_| ())
}

/// What was spent of `app`'s quota in the hour of `at`: by one consumer, or by all.
pub async fn points_spent(
    db: &impl ConnectionTrait,
    app: &str,
    at: DateTime<Utc>,
    consumer: Option<&str>,
) -> Result<u64, DbErr> {
    let mut query = points::Entity::find()
        .select_only()
        // PostgreSQL's sum of big integers is a numeric.
        .expr(points::Column::Spent.sum().cast_as("bigint"))
        .filter(points::Column::App.eq(app))
        .filter(points::Column::Hour.eq(hour_of(at)));
    if let Some(consumer) = consumer {
        query = query.filter(points::Column::Consumer.eq(consumer));
    }
    let spent: Option<Option<i64>> = query.into_tuple().one(db).await?;
    Ok(spent.flatten().and_then(|spent| u64::try_from(spent).ok()).unwrap_or(0))
}

/// Forgets hours long past.
pub async fn forget_old_points(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), DbErr> {
    let old = points::Column::Hour.lt(hour_of(now - KEPT));
    points::Entity::delete_many().filter(old).exec(db).await.map(|_| ())
}

fn hour_of(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::hours(1)).unwrap_or(at)
}
