//! Connections and the sites fixed on them.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use super::grants::forget_if_unused;
use crate::{
    app::Db,
    connections::Site,
    entity::{
        Problem, connection, connection::ConnectionStatus, connection_attempt, connection_site, grant,
        source, source::SourceStatus, workspace,
    },
    ids::{ConnectionId, SourceId, WorkspaceId},
    sources,
};

/// Which connections of a workspace to list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    pub external_id: Option<String>,
    pub status: Option<ConnectionStatus>,
    /// Only those after this one.
    pub after: Option<ConnectionId>,
    pub limit: u64,
}

/// One connection of a workspace; another workspace's is not found.
pub async fn connection(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: ConnectionId,
) -> Result<Option<connection::Model>, DbErr> {
    connection::Entity::find_by_id(id).filter(connection::Column::WorkspaceId.eq(workspace_id)).one(db).await
}

/// One connection, whosever it is: for work that was begun in its workspace.
pub async fn connection_by_id(
    db: &impl ConnectionTrait,
    id: ConnectionId,
) -> Result<Option<connection::Model>, DbErr> {
    connection::Entity::find_by_id(id).one(db).await
}

/// What people call a workspace.
pub async fn workspace_name(db: &impl ConnectionTrait, id: WorkspaceId) -> Result<Option<String>, DbErr> {
    Ok(workspace::Entity::find_by_id(id).one(db).await?.map(|workspace| workspace.name))
}

/// Connections of a workspace, oldest first.
pub async fn list(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    listed: &Listed,
) -> Result<Vec<connection::Model>, DbErr> {
    let mut query = connection::Entity::find().filter(connection::Column::WorkspaceId.eq(workspace_id));
    if let Some(external_id) = &listed.external_id {
        query = query.filter(connection::Column::ExternalId.eq(external_id));
    }
    if let Some(status) = listed.status {
        query = query.filter(connection::Column::Status.eq(status));
    }
    if let Some(after) = listed.after {
        query = query.filter(connection::Column::Id.gt(after));
    }
    query.order_by_asc(connection::Column::Id).limit(listed.limit).all(db).await
}

/// The sites of a connection, by name.
pub async fn sites(
    db: &impl ConnectionTrait,
    connection_id: ConnectionId,
) -> Result<Vec<connection_site::Model>, DbErr> {
    sites_of(db, &[connection_id]).await
}

/// The sites of several connections, by name.
pub async fn sites_of(
    db: &impl ConnectionTrait,
    connection_ids: &[ConnectionId],
) -> Result<Vec<connection_site::Model>, DbErr> {
    connection_site::Entity::find()
        .filter(connection_site::Column::ConnectionId.is_in(connection_ids.iter().copied()))
        .order_by_asc(connection_site::Column::Name)
        .order_by_asc(connection_site::Column::CloudId)
        .all(db)
        .await
}

/// The sites of a connection that sources feed from.
pub async fn sites_in_use(
    db: &impl ConnectionTrait,
    connection_id: ConnectionId,
) -> Result<Vec<Site>, DbErr> {
    let used: Vec<String> = source::Entity::find()
        .select_only()
        .column(source::Column::CloudId)
        .distinct()
        .filter(source::Column::ConnectionId.eq(connection_id))
        .filter(source::Column::Status.ne(SourceStatus::Deleting))
        .into_tuple()
        .all(db)
        .await?;
    let sites = sites(db, connection_id).await?;
    Ok(sites.into_iter().filter(|site| used.contains(&site.cloud_id)).map(Site::from).collect())
}

/// A connection that waits for a person, and the walk that person takes.
pub async fn begin_connection(
    db: &Db,
    connection: connection::Model,
    attempt: connection_attempt::Model,
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    connection::Entity::insert(connection.into_active_model()).exec_without_returning(&tx).await?;
    connection_attempt::Entity::insert(attempt.into_active_model()).exec_without_returning(&tx).await?;
    tx.commit().await
}

/// A connection that works at once, with its one site.
pub async fn create_active(db: &Db, connection: connection::Model, site: Site) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let id = connection.id;
    connection::Entity::insert(connection.into_active_model()).exec_without_returning(&tx).await?;
    insert_sites(&tx, id, vec![site]).await?;
    tx.commit().await
}

pub(super) async fn insert_sites(
    tx: &impl ConnectionTrait,
    connection_id: ConnectionId,
    sites: Vec<Site>,
) -> Result<(), DbErr> {
    if sites.is_empty() {
        return Ok(());
    }
    let rows = sites.into_iter().map(|site| connection_site::ActiveModel {
        connection_id: Set(connection_id),
        cloud_id: Set(site.id),
        name: Set(site.name),
        url: Set(site.url),
    });
    connection_site::Entity::insert_many(rows).exec_without_returning(tx).await.map(|_| ())
}

/// A new e-mail and token for an API-token connection, which works again with them.
pub async fn replace_credential(
    db: &Db,
    id: ConnectionId,
    account: (String, Option<String>),
    credential: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<connection::Model, DbErr> {
    let changed = connection::ActiveModel {
        id: Set(id),
        account_id: Set(Some(account.0)),
        account_name: Set(account.1),
        credential: Set(Some(credential)),
        status: Set(ConnectionStatus::Active),
        problem: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let tx = db.begin().await?;
    let connection = changed.update(&tx).await?;
    sources::store::follow_connection(&tx, id, now).await?;
    tx.commit().await?;
    Ok(connection)
}

/// An active connection stops working until a person reconnects it, and its sources with it. False if it no longer
/// was active.
pub async fn mark_needs_reconnect(
    db: &Db,
    id: ConnectionId,
    problem: &Problem,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let tx = db.begin().await?;
    let done = connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value(ConnectionStatus::NeedsReconnect))
        .col_expr(connection::Column::Problem, Expr::value(problem.clone()))
        .col_expr(connection::Column::UpdatedAt, Expr::value(now))
        .filter(connection::Column::Id.eq(id))
        .filter(connection::Column::Status.eq(ConnectionStatus::Active))
        .exec(&tx)
        .await?;
    sources::store::follow_connection(&tx, id, now).await?;
    tx.commit().await?;
    Ok(done.rows_affected > 0)
}

/// What came of forgetting a connection.
#[derive(Debug)]
pub enum Forgotten {
    Done,
    /// These sources feed from it.
    InUse(Vec<SourceId>),
    NotFound,
}

/// Deletes a connection with its tokens, and its grant if it was the grant's last.
pub async fn forget(db: &Db, workspace_id: WorkspaceId, id: ConnectionId) -> Result<Forgotten, DbErr> {
    let tx = db.begin().await?;
    connection_attempt::Entity::find()
        .filter(connection_attempt::Column::ConnectionId.eq(id))
        .order_by_asc(connection_attempt::Column::Id)
        .lock_exclusive()
        .all(&tx)
        .await?;
    let Some(found) = connection(&tx, workspace_id, id).await? else { return Ok(Forgotten::NotFound) };
    if let Some(grant_id) = found.grant_id {
        grant::Entity::find_by_id(grant_id).lock_exclusive().one(&tx).await?;
    }
    let found = connection::Entity::find_by_id(id).lock_exclusive().one(&tx).await?;
    let Some(connection) = found else { return Ok(Forgotten::NotFound) };
    let users = source::Entity::find().filter(source::Column::ConnectionId.eq(id));
    let in_use: Vec<SourceId> = users
        .filter(source::Column::Status.ne(SourceStatus::Deleting))
        .select_only()
        .column(source::Column::Id)
        .order_by_asc(source::Column::Id)
        .into_tuple()
        .all(&tx)
        .await?;
    if !in_use.is_empty() {
        return Ok(Forgotten::InUse(in_use));
    }
    // Sources on their way out need Confluence no longer.
    source::Entity::update_many()
        .col_expr(source::Column::ConnectionId, Expr::value(None::<ConnectionId>))
        .filter(source::Column::ConnectionId.eq(id))
        .exec(&tx)
        .await?;
    connection::Entity::delete_by_id(id).exec(&tx).await?;
    if let Some(grant_id) = connection.grant_id {
        forget_if_unused(&tx, grant_id).await?;
    }
    tx.commit().await?;
    Ok(Forgotten::Done)
}
