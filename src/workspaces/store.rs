//! The statements about workspaces.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    SqlErr,
    sea_query::{OnConflict, Query},
};

use crate::{
    app::Db,
    entity::{
        Metadata, connection, grant, knowledge_base,
        knowledge_base::KnowledgeBaseStatus,
        workspace::{ActiveModel, Column, Entity, Model, WorkspaceStatus},
    },
    ids::WorkspaceId,
    sources,
};

/// The `external_id` and name of the workspace that the first start makes.
const DEFAULT: &str = "default";

/// A workspace could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another workspace has this `external_id`.
    #[error("another workspace has this external_id")]
    ExternalIdTaken,
    /// The database refused.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Stores a new workspace.
pub async fn insert(db: &Db, workspace: Model) -> Result<Model, Error> {
    workspace.into_active_model().insert(db.write()).await.map_err(|error| match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::ExternalIdTaken,
        _ => Error::Db(error),
    })
}

/// One workspace.
pub async fn find(db: &impl ConnectionTrait, id: WorkspaceId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The workspaces, oldest first, after the one named `after`.
pub async fn list(
    db: &impl ConnectionTrait,
    external_id: Option<&str>,
    after: Option<WorkspaceId>,
    rows: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find();
    if let Some(external_id) = external_id {
        query = query.filter(Column::ExternalId.eq(external_id));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    query.order_by_asc(Column::Id).limit(rows).all(db).await
}

/// The workspace `default`, made if it is not there.
pub async fn ensure_default(db: &Db, now: DateTime<Utc>) -> Result<WorkspaceId, DbErr> {
    let workspace = new(DEFAULT.to_owned(), Some(DEFAULT.to_owned()), Metadata::default(), now);
    let keep = OnConflict::column(Column::ExternalId).do_nothing().to_owned();
    Entity::insert(workspace.into_active_model())
        .on_conflict(keep)
        .exec_without_returning(db.write())
        .await?;
    let found = Entity::find().filter(Column::ExternalId.eq(DEFAULT)).one(db.write()).await?;
    found.map(|row| row.id).ok_or_else(|| DbErr::RecordNotFound("workspace default".to_owned()))
}

/// A workspace that is not stored yet.
#[must_use]
pub fn new(name: String, external_id: Option<String>, metadata: Metadata, now: DateTime<Utc>) -> Model {
    Model {
        id: WorkspaceId::new(),
        name,
        status: WorkspaceStatus::Active,
        external_id,
        metadata,
        created_at: now,
        updated_at: now,
    }
}

/// Begins the end of a workspace: its keys open nothing from now on, its knowledge bases are emptied by the worker,
/// and when the last is gone [`erase_emptied`] removes the rest. `None` if there is no such workspace.
pub async fn begin_delete(db: &Db, id: WorkspaceId, now: DateTime<Utc>) -> Result<Option<Model>, DbErr> {
    let tx = db.begin().await?;
    let ending =
        ActiveModel { status: Set(WorkspaceStatus::Deleting), updated_at: Set(now), ..Default::default() };
    Entity::update_many().set(ending).filter(Column::Id.eq(id)).exec(&tx).await?;
    let of_workspace = knowledge_base::Column::WorkspaceId.eq(id);
    let ending = knowledge_base::ActiveModel {
        status: Set(KnowledgeBaseStatus::Deleting),
        updated_at: Set(now),
        ..Default::default()
    };
    knowledge_base::Entity::update_many().set(ending).filter(of_workspace.clone()).exec(&tx).await?;
    for knowledge_base in knowledge_base::Entity::find().filter(of_workspace).all(&tx).await? {
        sources::store::begin_delete_all(&tx, knowledge_base.id, now).await?;
    }
    let workspace = Entity::find_by_id(id).one(&tx).await?;
    tx.commit().await?;
    Ok(workspace)
}

/// Removes the workspaces that are being deleted and whose last knowledge base is gone, with all that they own.
pub async fn erase_emptied(db: &Db) -> Result<u64, DbErr> {
    let tx = db.begin().await?;
    let with_knowledge_bases =
        Query::select().column(knowledge_base::Column::WorkspaceId).from(knowledge_base::Entity).to_owned();
    let erased = Entity::delete_many()
        .filter(Column::Status.eq(WorkspaceStatus::Deleting))
        .filter(Column::Id.not_in_subquery(with_knowledge_bases))
        .exec(&tx)
        .await?
        .rows_affected;
    if erased > 0 {
        // A grant dies with its last connection.
        let in_use = Query::select()
            .column(connection::Column::GrantId)
            .from(connection::Entity)
            .and_where(connection::Column::GrantId.is_not_null())
            .to_owned();
        grant::Entity::delete_many().filter(grant::Column::Id.not_in_subquery(in_use)).exec(&tx).await?;
    }
    tx.commit().await?;
    Ok(erased)
}
