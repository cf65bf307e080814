//! The statements about idempotency keys.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, sea_query::OnConflict,
};

use crate::{
    app::Db,
    entity::idempotency_key::{ActiveModel, Column, Entity, Model},
    ids::WorkspaceId,
};

/// How long an answer can be had again.
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// After how long a request that was never answered counts as lost.
const LOST_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Which request is meant.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The workspace that asks.
    pub workspace_id: WorkspaceId,
    /// The principal that asks.
    pub principal: String,
    /// The method and route pattern.
    pub route: String,
    /// The client's key.
    pub key: String,
}

impl Slot {
    fn condition(&self) -> Condition {
        Condition::all()
            .add(Column::WorkspaceId.eq(self.workspace_id))
            .add(Column::Principal.eq(&self.principal))
            .add(Column::Route.eq(&self.route))
            .add(Column::IdempotencyKey.eq(&self.key))
    }
}

/// What became of an attempt to take a slot.
#[derive(Debug)]
pub enum Taken {
    /// It is ours: answer the request, then [`keep`] or [`free`].
    Ours,
    /// Another request has it.
    Theirs(Model),
}

/// Takes the slot for a request with this hash. Slots that are too old, or whose request was lost, are taken over.
pub async fn take(db: &Db, slot: &Slot, request_sha256: &[u8], now: DateTime<Utc>) -> Result<Taken, DbErr> {
    let tx = db.begin().await?;
    let lost = Condition::all().add(Column::Status.is_null()).add(Column::CreatedAt.lt(now - LOST_AFTER));
    let over = Condition::any().add(Column::CreatedAt.lt(now - KEPT)).add(lost);
    Entity::delete_many().filter(slot.condition()).filter(over).exec(&tx).await?;
    let row = Model {
        workspace_id: slot.workspace_id,
        principal: slot.principal.clone(),
        route: slot.route.clone(),
        idempotency_key: slot.key.clone(),
        request_sha256: request_sha256.to_vec(),
        status: None,
        response: None,
        created_at: now,
    };
    let columns = [Column::WorkspaceId, Column::Principal, Column::Route, Column::IdempotencyKey];
    let keep = OnConflict::columns(columns).do_nothing().to_owned();
    let inserted =
        Entity::insert(row.into_active_model()).on_conflict(keep).exec_without_returning(&tx).await?;
    let theirs = match inserted {
        0 => Entity::find().filter(slot.condition()).one(&tx).await?,
        _ => None,
    };
    tx.commit().await?;
    Ok(theirs.map_or(Taken::Ours, Taken::Theirs))
}

/// Keeps the sealed answer for replays.
pub async fn keep(db: &Db, slot: &Slot, status: i32, sealed: Vec<u8>) -> Result<(), DbErr> {
    let answer = ActiveModel { status: Set(Some(status)), response: Set(Some(sealed)), ..Default::default() };
    Entity::update_many().set(answer).filter(slot.condition()).exec(db.write()).await?;
    Ok(())
}

/// Frees the slot of a request that created nothing, so that it can be corrected and sent again.
pub async fn free(db: &Db, slot: &Slot) -> Result<(), DbErr> {
    Entity::delete_many().filter(slot.condition()).exec(db.write()).await?;
    Ok(())
}

/// Forgets the answers that can no longer be had.
pub async fn forget_old(db: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let forgotten = Entity::delete_many().filter(Column::CreatedAt.lt(now - KEPT)).exec(db).await?;
    Ok(forgotten.rows_affected)
}
