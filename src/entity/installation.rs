//! This installation: its id names every file it uploads.

use sea_orm::entity::prelude::*;

use crate::ids::InstallationId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1: there is one row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub singleton: i32,
    pub id: InstallationId,
    pub created_at: DateTimeUtc,
    /// Opens with the encryption keys of this database alone; absent before the first start.
    pub key_proof: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
