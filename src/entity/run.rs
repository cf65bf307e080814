//! Runs: one lease-holder's time on a sync each.

use sea_orm::entity::prelude::*;

use crate::ids::{ReplicaId, RunId, SyncId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RunId,
    pub sync_id: SyncId,
    pub replica_id: ReplicaId,
    pub fence: i64,
    pub outcome: Option<String>,
    pub report: Option<Json>,
    pub started_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
