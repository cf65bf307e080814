//! The running processes and when each last ticked.

use sea_orm::entity::prelude::*;

use crate::ids::ReplicaId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "replicas")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReplicaId,
    pub started_at: DateTimeUtc,
    pub last_tick_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
