//! When a process last worked on a source, so that all have their turn.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = "ALTER TABLE sources ADD COLUMN last_run_at TIMESTAMPTZ";
        crate::ddl::run(manager, add).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::ddl::run(manager, "ALTER TABLE sources DROP COLUMN last_run_at").await
    }
}
