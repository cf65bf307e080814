//! Syncs: one piece of work on a source each, durable from trigger to finish.

use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Cost, Counts, Problem};
use crate::ids::{SourceId, SyncId, WorkspaceId};

/// Why a sync was made.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SyncTrigger {
    Interval,
    Manual,
    Hint,
    Selection,
}

/// What a sync does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// Finds and applies what changed.
    Delta,
    /// Verifies every page, whatever the budget.
    Full,
    /// Finds what changed and applies nothing.
    Plan,
}

/// Where a sync stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("running"))]
pub enum SyncStatus {
    Queued,
    Running,
    /// Done but for removals that wait for a person.
    Held,
    Planned,
    Succeeded,
    /// Done, but some pages failed and will be tried again.
    Partial,
    Failed,
    Cancelled,
}

/// What a running sync is at.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(examples("apply"))]
pub enum SyncStep {
    Queued,
    Observe,
    Apply,
    Confirm,
    Retire,
    Done,
}

/// What a plan rests on, what it comes to, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Plan {
    /// The selections of the source that it was made for.
    pub selections_revision: i64,
    /// The account that saw the site.
    pub account_id: Option<String>,
    /// What all of it would cost.
    pub cost: Cost,
    /// The sync that applies it, once it was approved.
    pub applied_by: Option<SyncId>,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "syncs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SyncId,
    pub workspace_id: WorkspaceId,
    pub source_id: SourceId,
    pub trigger: SyncTrigger,
    pub mode: SyncMode,
    pub status: SyncStatus,
    pub step: SyncStep,
    pub done: i64,
    pub total: Option<i64>,
    pub counts: Counts,
    pub problem: Option<Problem>,
    pub cancel_requested: bool,
    pub not_before: Option<DateTimeUtc>,
    /// When everything there is to see had been seen and persisted.
    pub observed_at: Option<DateTimeUtc>,
    /// What is to be said of a plan, once it is made.
    pub plan: Option<Plan>,
    /// The approved plan that it applies.
    pub applies: Option<SyncId>,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
