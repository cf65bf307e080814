//! Grants: their tokens, the lease of whoever refreshes them, and their end.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, Query},
};

use crate::{
    app::Db,
    entity::{Problem, connection, connection::ConnectionStatus, grant, grant::GrantStatus},
    ids::{GrantId, ReplicaId},
    sources,
};

pub async fn grant(db: &impl ConnectionTrait, id: GrantId) -> Result<Option<grant::Model>, DbErr> {
    grant::Entity::find_by_id(id).one(db).await
}

/// Makes the caller the only one to refresh this generation of tokens until `until`. `sent_at` is what the row shall
/// say about when the token was first sent. False: somebody else refreshes, or did.
pub async fn take_lease(
    db: &impl ConnectionTrait,
    grant: &grant::Model,
    holder: ReplicaId,
    sent_at: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let free = Condition::any()
        .add(grant::Column::RefreshHolder.is_null())
        .add(grant::Column::RefreshUntil.lte(now));
    let done = grant::Entity::update_many()
        .col_expr(grant::Column::RefreshHolder, Expr::value(holder))
        .col_expr(grant::Column::RefreshUntil, Expr::value(until))
        .col_expr(grant::Column::RefreshSentAt, Expr::value(sent_at))
        .filter(of_generation(grant))
        .filter(free)
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Gives the lease back without new tokens. `sent_at` stays set when the answer may have been lost; nobody who is not
/// in need tries again before `not_before`.
pub async fn release(
    db: &impl ConnectionTrait,
    grant: &grant::Model,
    holder: ReplicaId,
    sent_at: Option<DateTime<Utc>>,
    not_before: DateTime<Utc>,
) -> Result<(), DbErr> {
    grant::Entity::update_many()
        .col_expr(grant::Column::RefreshHolder, Expr::value(None::<ReplicaId>))
        .col_expr(grant::Column::RefreshUntil, Expr::value(not_before))
        .col_expr(grant::Column::RefreshSentAt, Expr::value(sent_at))
        .filter(of_generation(grant))
        .filter(grant::Column::RefreshHolder.eq(holder))
        .exec(db)
        .await
        .map(|_| ())
}

/// A new pair of tokens, sealed.
#[derive(Debug)]
pub struct Rotated {
    pub tokens: Vec<u8>,
    pub scopes: String,
    pub access_expires_at: DateTime<Utc>,
    /// When it was asked for.
    pub obtained_at: DateTime<Utc>,
}

/// Puts a new pair in the place of generation `grant.generation`. False if a newer pair is there already.
pub async fn rotate(db: &impl ConnectionTrait, grant: &grant::Model, new: Rotated) -> Result<bool, DbErr> {
    let done = grant::Entity::update_many()
        .col_expr(grant::Column::Tokens, Expr::value(new.tokens))
        .col_expr(grant::Column::Scopes, Expr::value(new.scopes))
        .col_expr(grant::Column::AccessExpiresAt, Expr::value(new.access_expires_at))
        .col_expr(grant::Column::Generation, Expr::value(grant.generation + 1))
        .col_expr(grant::Column::RefreshHolder, Expr::value(None::<ReplicaId>))
        .col_expr(grant::Column::RefreshUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(grant::Column::RefreshSentAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(grant::Column::UpdatedAt, Expr::value(new.obtained_at))
        .filter(of_generation(grant))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// The vendor no longer knows this generation: all connections of the grant need a person. False if a newer generation
/// is there, or the grant was dead before.
pub async fn kill(
    db: &Db,
    grant: &grant::Model,
    problem: &Problem,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let tx = db.begin().await?;
    let done = grant::Entity::update_many()
        .col_expr(grant::Column::Status, Expr::value(GrantStatus::Dead))
        .col_expr(grant::Column::RefreshHolder, Expr::value(None::<ReplicaId>))
        .col_expr(grant::Column::RefreshUntil, Expr::value(None::<DateTime<Utc>>))
        .col_expr(grant::Column::RefreshSentAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(grant::Column::UpdatedAt, Expr::value(now))
        .filter(of_generation(grant))
        .exec(&tx)
        .await?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value(ConnectionStatus::NeedsReconnect))
        .col_expr(connection::Column::Problem, Expr::value(problem.clone()))
        .col_expr(connection::Column::UpdatedAt, Expr::value(now))
        .filter(connection::Column::GrantId.eq(grant.id))
        .filter(connection::Column::Status.eq(ConnectionStatus::Active))
        .exec(&tx)
        .await?;
    for connection in
        connection::Entity::find().filter(connection::Column::GrantId.eq(grant.id)).all(&tx).await?
    {
        sources::store::follow_connection(&tx, connection.id, now).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Living grants of an app that should be refreshed though nobody needs them: the answer to a refresh was lost within
/// `leeway`, or nobody has refreshed them for `idle`. A few at a time: the tick waits for them.
pub async fn to_keep_alive(
    db: &impl ConnectionTrait,
    client_id: &str,
    leeway: TimeDelta,
    idle: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<GrantId>, DbErr> {
    let due = Condition::any()
        .add(grant::Column::RefreshSentAt.gt(now - leeway))
        .add(grant::Column::UpdatedAt.lt(now - idle));
    grant::Entity::find()
        .select_only()
        .column(grant::Column::Id)
        .filter(grant::Column::ClientId.eq(client_id))
        .filter(grant::Column::Status.eq(GrantStatus::Active))
        .filter(due)
        .filter(
            Condition::any()
                .add(grant::Column::RefreshUntil.is_null())
                .add(grant::Column::RefreshUntil.lte(now)),
        )
        .order_by_asc(grant::Column::UpdatedAt)
        .limit(8)
        .into_tuple()
        .all(db)
        .await
}

/// Deletes grants that no connection uses, such as those of an erased workspace.
pub async fn forget_unused(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let done = grant::Entity::delete_many().filter(unused()).exec(db).await?;
    Ok(done.rows_affected)
}

/// Deletes a grant if its last connection has gone. The grant is locked first: two that leave together see each other.
pub(super) async fn forget_if_unused(tx: &DatabaseTransaction, id: GrantId) -> Result<(), DbErr> {
    grant::Entity::find_by_id(id).lock_exclusive().one(tx).await?;
    grant::Entity::delete_many().filter(grant::Column::Id.eq(id)).filter(unused()).exec(tx).await.map(|_| ())
}

fn of_generation(grant: &grant::Model) -> Condition {
    Condition::all()
        .add(grant::Column::Id.eq(grant.id))
        .add(grant::Column::Generation.eq(grant.generation))
        .add(grant::Column::Status.eq(GrantStatus::Active))
}

fn unused() -> Condition {
    let of_grant = Expr::col((connection::Entity, connection::Column::GrantId))
        .equals((grant::Entity, grant::Column::Id));
    let users = Query::select()
        .column((connection::Entity, connection::Column::Id))
        .from(connection::Entity)
        .and_where(of_grant)
        .to_owned();
    Condition::all().add(Expr::exists(users).not())
}
