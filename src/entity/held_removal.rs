//! The documents of a hold, each with its evidence.

use sea_orm::entity::prelude::*;

use super::Evidence;
use crate::ids::{DocumentId, SourceId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "held_removals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: SourceId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub document_id: DocumentId,
    pub evidence: Evidence,
    pub approved: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
