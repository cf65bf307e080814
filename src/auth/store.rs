//! The statements about API keys.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, JoinType, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use crate::{
    app::Db,
    entity::{api_key, workspace},
    ids::{ApiKeyId, WorkspaceId},
};

/// How old the last noted use may be before a use is noted again.
const NOTE_USE_EVERY: TimeDelta = TimeDelta::minutes(1);

/// The key with this hash and its workspace.
pub async fn find_by_hash(
    db: &impl ConnectionTrait,
    hash: &[u8; 32],
) -> Result<Option<(api_key::Model, workspace::Model)>, DbErr> {
    one_with_workspace(db, api_key::Column::SecretSha256.eq(hash.as_slice())).await
}

/// A key and its workspace.
pub async fn find_with_workspace(
    db: &impl ConnectionTrait,
    id: ApiKeyId,
) -> Result<Option<(api_key::Model, workspace::Model)>, DbErr> {
    one_with_workspace(db, api_key::Column::Id.eq(id)).await
}

async fn one_with_workspace(
    db: &impl ConnectionTrait,
    which: Expr,
) -> Result<Option<(api_key::Model, workspace::Model)>, DbErr> {
    let workspace = api_key::Entity::belongs_to(workspace::Entity)
        .from(api_key::Column::WorkspaceId)
        .to(workspace::Column::Id)
        .into();
    let row = api_key::Entity::find()
        .filter(which)
        .join(JoinType::InnerJoin, workspace)
        .select_also(workspace::Entity)
        .one(db)
        .await?;
    Ok(row.and_then(|(key, workspace)| Some((key, workspace?))))
}

/// Notes that a key was used: at most once a minute, so that reading does not become writing.
pub async fn note_use(db: &Db, key: &api_key::Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    if key.last_used_at.is_some_and(|last| now - last < NOTE_USE_EVERY) {
        return Ok(());
    }
    api_key::Entity::update_many()
        .set(api_key::ActiveModel { last_used_at: Set(Some(now)), ..Default::default() })
        .filter(api_key::Column::Id.eq(key.id))
        .exec(db.write())
        .await?;
    Ok(())
}

/// Stores a new key.
pub async fn insert(db: &Db, key: api_key::Model) -> Result<api_key::Model, DbErr> {
    key.into_active_model().insert(db.write()).await
}

/// The keys of a workspace that are not revoked, oldest first, after the one named `after`.
pub async fn list(
    db: &impl ConnectionTrait,
    workspace: WorkspaceId,
    external_id: Option<&str>,
    after: Option<ApiKeyId>,
    rows: u64,
) -> Result<Vec<api_key::Model>, DbErr> {
    let mut query = api_key::Entity::find()
        .filter(api_key::Column::WorkspaceId.eq(workspace))
        .filter(api_key::Column::RevokedAt.is_null());
    if let Some(external_id) = external_id {
        query = query.filter(api_key::Column::ExternalId.eq(external_id));
    }
    if let Some(after) = after {
        query = query.filter(api_key::Column::Id.gt(after));
    }
    query.order_by_asc(api_key::Column::Id).limit(rows).all(db).await
}

/// A living key by its id alone: for the operator's command line and for the key that asks about itself.
pub async fn find(db: &impl ConnectionTrait, id: ApiKeyId) -> Result<Option<api_key::Model>, DbErr> {
    api_key::Entity::find_by_id(id).filter(api_key::Column::RevokedAt.is_null()).one(db).await
}

/// Revokes a key of a workspace; false if there is no such living key.
pub async fn revoke(
    db: &Db,
    workspace: WorkspaceId,
    id: ApiKeyId,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let result = api_key::Entity::update_many()
        .set(api_key::ActiveModel { revoked_at: Set(Some(now)), ..Default::default() })
        .filter(api_key::Column::Id.eq(id))
        .filter(api_key::Column::WorkspaceId.eq(workspace))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(db.write())
        .await?;
    Ok(result.rows_affected > 0)
}

/// Whether a bootstrap key lives.
pub async fn has_bootstrap(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let living = api_key::Entity::find()
        .filter(api_key::Column::Bootstrap.eq(true))
        .filter(api_key::Column::RevokedAt.is_null());
    Ok(living.count(db).await? > 0)
}

/// Makes `key` the only bootstrap key.
pub async fn replace_bootstrap(db: &Db, key: api_key::Model, now: DateTime<Utc>) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    api_key::Entity::update_many()
        .set(api_key::ActiveModel { revoked_at: Set(Some(now)), ..Default::default() })
        .filter(api_key::Column::Bootstrap.eq(true))
        .filter(api_key::Column::SecretSha256.ne(key.secret_sha256.clone()))
        .filter(api_key::Column::RevokedAt.is_null())
        .exec(&tx)
        .await?;
    let row = api_key::Model { bootstrap: true, ..key };
    // Known already, from an earlier start or a replica that starts at the same time: it lives (again).
    let revive = OnConflict::column(api_key::Column::SecretSha256)
        .update_columns([
            api_key::Column::RevokedAt,
            api_key::Column::Bootstrap,
            api_key::Column::Scopes,
            api_key::Column::WorkspaceId,
        ])
        .to_owned();
    api_key::Entity::insert(row.into_active_model()).on_conflict(revive).exec_without_returning(&tx).await?;
    tx.commit().await
}
