//! Walks through the OAuth flow: each is good for one callback and one confirmation, and a connection has one open at most.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use crate::{
    app::Db,
    connections::Site,
    entity::{
        Problem, connection, connection::ConnectionStatus, connection_attempt,
        connection_attempt::AttemptStatus,
    },
    ids::{AttemptId, ConnectionId},
};

const OPEN: [AttemptStatus; 2] = [AttemptStatus::Pending, AttemptStatus::Authorized];
/// A connection in one of these has never worked: its status is that of its attempt.
const UNFINISHED: [ConnectionStatus; 2] = [ConnectionStatus::Pending, ConnectionStatus::Authorized];

/// The open attempt of a connection, if there is one.
pub async fn open_attempt(
    db: &impl ConnectionTrait,
    connection_id: ConnectionId,
) -> Result<Option<connection_attempt::Model>, DbErr> {
    connection_attempt::Entity::find()
        .filter(connection_attempt::Column::ConnectionId.eq(connection_id))
        .filter(connection_attempt::Column::Status.is_in(OPEN))
        .order_by_desc(connection_attempt::Column::Id)
        .one(db)
        .await
}

/// The open attempts of several connections.
pub async fn open_attempts(
    db: &impl ConnectionTrait,
    connection_ids: &[ConnectionId],
) -> Result<Vec<connection_attempt::Model>, DbErr> {
    connection_attempt::Entity::find()
        .filter(connection_attempt::Column::ConnectionId.is_in(connection_ids.iter().copied()))
        .filter(connection_attempt::Column::Status.is_in(OPEN))
        .all(db)
        .await
}

/// The attempt that waits for a callback with this state, its time run out or not, and its connection.
pub async fn pending_attempt(
    db: &impl ConnectionTrait,
    state_sha256: &[u8],
) -> Result<Option<(connection_attempt::Model, connection::Model)>, DbErr> {
    let found = connection_attempt::Entity::find()
        .filter(connection_attempt::Column::StateSha256.eq(state_sha256))
        .filter(connection_attempt::Column::Status.is_in([AttemptStatus::Pending, AttemptStatus::Expired]))
        .one(db)
        .await?;
    let Some(attempt) = found else { return Ok(None) };
    let connection = connection::Entity::find_by_id(attempt.connection_id).one(db).await?;
    Ok(connection.map(|connection| (attempt, connection)))
}

/// Begins a walk on a connection that exists, in place of any that is open. A connection that works goes on working.
pub async fn begin_attempt(db: &Db, attempt: connection_attempt::Model) -> Result<connection::Model, DbErr> {
    let (connection_id, now) = (attempt.connection_id, attempt.created_at);
    let tx = db.begin().await?;
    close(
        &tx,
        connection_attempt::Column::ConnectionId.eq(connection_id),
        AttemptStatus::Failed,
        "superseded",
    )
    .await?;
    connection_attempt::Entity::insert(attempt.into_active_model()).exec_without_returning(&tx).await?;
    connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value(ConnectionStatus::Pending))
        .col_expr(connection::Column::Problem, Expr::value(None::<Problem>))
        .col_expr(connection::Column::UpdatedAt, Expr::value(now))
        .filter(connection::Column::Id.eq(connection_id))
        .filter(
            connection::Column::Status
                .is_not_in([ConnectionStatus::Active, ConnectionStatus::NeedsReconnect]),
        )
        .exec(&tx)
        .await?;
    let connection = connection::Entity::find_by_id(connection_id).one(&tx).await?;
    tx.commit().await?;
    connection.ok_or_else(|| DbErr::RecordNotFound(connection_id.to_string()))
}

/// Uses a state up, by putting random bytes in its place. Only one caller ever gets `true`.
pub async fn burn_state(
    db: &impl ConnectionTrait,
    state_sha256: &[u8],
    ashes: Vec<u8>,
) -> Result<bool, DbErr> {
    let done = connection_attempt::Entity::update_many()
        .col_expr(connection_attempt::Column::StateSha256, Expr::value(ashes))
        .filter(connection_attempt::Column::StateSha256.eq(state_sha256))
        .filter(connection_attempt::Column::Status.eq(AttemptStatus::Pending))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// What a successful callback leaves on the attempt.
#[derive(Debug)]
pub struct Authorized {
    /// Sealed tokens.
    pub parked: Vec<u8>,
    pub code_sha256: Vec<u8>,
    pub account_id: String,
    pub account_name: Option<String>,
    pub sites: Vec<Site>,
    /// The code is good until then.
    pub expires_at: DateTime<Utc>,
}

/// Parks tokens until the person who began confirms. False if the attempt is no longer open.
pub async fn park(db: &Db, id: AttemptId, authorized: Authorized, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let tx = db.begin().await?;
    let Some(attempt) = locked(&tx, id).await?.filter(|attempt| attempt.status == AttemptStatus::Pending)
    else {
        return Ok(false);
    };
    connection_attempt::Entity::update(connection_attempt::ActiveModel {
        id: Set(id),
        status: Set(AttemptStatus::Authorized),
        parked: Set(Some(authorized.parked)),
        code_sha256: Set(Some(authorized.code_sha256)),
        account_id: Set(Some(authorized.account_id)),
        account_name: Set(authorized.account_name),
        sites: Set(serde_json::to_value(authorized.sites).map_err(|error| DbErr::Json(error.to_string()))?),
        expires_at: Set(authorized.expires_at),
        ..Default::default()
    })
    .exec(&tx)
    .await?;
    connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value(ConnectionStatus::Authorized))
        .col_expr(connection::Column::UpdatedAt, Expr::value(now))
        .filter(connection::Column::Id.eq(attempt.connection_id))
        .filter(connection::Column::Status.eq(ConnectionStatus::Pending))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}

/// Ends an open attempt; a connection that never worked fails with it.
pub async fn fail_attempt(
    db: &Db,
    id: AttemptId,
    problem: &Problem,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    fail(&tx, id, problem, now).await?;
    tx.commit().await
}

pub(super) async fn fail(
    tx: &DatabaseTransaction,
    id: AttemptId,
    problem: &Problem,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let Some(attempt) = locked(tx, id).await?.filter(|attempt| OPEN.contains(&attempt.status)) else {
        return Ok(());
    };
    close(tx, connection_attempt::Column::Id.eq(id), AttemptStatus::Failed, &problem.code).await?;
    end_unfinished(tx, vec![attempt.connection_id], ConnectionStatus::Failed, problem, now).await
}

/// Ends attempts whose time has run out, and their connections if those never worked. Returns how many attempts.
pub async fn expire_attempts(db: &Db, problem: &Problem, now: DateTime<Utc>) -> Result<usize, DbErr> {
    let overdue = || {
        connection_attempt::Entity::find()
            .filter(connection_attempt::Column::Status.is_in(OPEN))
            .filter(connection_attempt::Column::ExpiresAt.lte(now))
    };
    // A tick that finds nothing does not disturb those who write.
    if overdue().one(db.read()).await?.is_none() {
        return Ok(0);
    }
    let tx = db.begin().await?;
    let overdue =
        overdue().order_by_asc(connection_attempt::Column::Id).limit(500).lock_exclusive().all(&tx).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    let ids = overdue.iter().map(|attempt| attempt.id);
    close(&tx, connection_attempt::Column::Id.is_in(ids), AttemptStatus::Expired, "expired").await?;
    let connections = overdue.iter().map(|attempt| attempt.connection_id).collect();
    end_unfinished(&tx, connections, ConnectionStatus::Expired, problem, now).await?;
    tx.commit().await?;
    Ok(overdue.len())
}

pub(super) async fn locked(
    tx: &DatabaseTransaction,
    id: AttemptId,
) -> Result<Option<connection_attempt::Model>, DbErr> {
    connection_attempt::Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// Ends open attempts and forgets their tokens and codes.
async fn close(
    tx: &DatabaseTransaction,
    which: sea_orm::sea_query::SimpleExpr,
    status: AttemptStatus,
    error: &str,
) -> Result<(), DbErr> {
    connection_attempt::Entity::update_many()
        .col_expr(connection_attempt::Column::Status, Expr::value(status))
        .col_expr(connection_attempt::Column::Error, Expr::value(error))
        .col_expr(connection_attempt::Column::Parked, Expr::value(None::<Vec<u8>>))
        .col_expr(connection_attempt::Column::CodeSha256, Expr::value(None::<Vec<u8>>))
        .filter(which)
        .filter(connection_attempt::Column::Status.is_in(OPEN))
        .exec(tx)
        .await
        .map(|_| ())
}

async fn end_unfinished(
    tx: &DatabaseTransaction,
    ids: Vec<ConnectionId>,
    status: ConnectionStatus,
    problem: &Problem,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value(status))
        .col_expr(connection::Column::Problem, Expr::value(problem.clone()))
        .col_expr(connection::Column::UpdatedAt, Expr::value(now))
        .filter(connection::Column::Id.is_in(ids))
        .filter(connection::Column::Status.is_in(UNFINISHED))
        .exec(tx)
        .await
        .map(|_| ())
}
