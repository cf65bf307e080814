//! Named leases for work that only one process may do at a time.

use sea_orm::entity::prelude::*;

use crate::ids::ReplicaId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "leases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub holder: Option<ReplicaId>,
    pub held_until: Option<DateTimeUtc>,
    /// Grows with each holder; a write that repeats an older number is refused.
    pub fence: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
