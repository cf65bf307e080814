//! Whether reading a page or folder is restricted on itself. Of what is not here, nothing is known.

use sea_orm::entity::prelude::*;

use crate::ids::SourceId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "restrictions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: SourceId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub external_id: String,
    pub restricted: bool,
    /// Absent once the page or folder has changed: it may be otherwise now.
    pub read_at: Option<DateTimeUtc>,
    /// When it was last asked for; absent if it is to be asked for before others.
    pub asked_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
