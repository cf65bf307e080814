//! A number on each source that grows with its documents' changes, so that a list of them is known to be still true.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let add = "ALTER TABLE sources ADD COLUMN documents_revision BIGINT NOT NULL DEFAULT 0";
        manager.get_connection().execute_unprepared(add).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop_it = "ALTER TABLE sources DROP COLUMN documents_revision";
        manager.get_connection().execute_unprepared(drop_it).await.map(drop)
    }
}
