//! The account under which documents were observed, and indexes for what is looked at or forgotten oldest first.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = r"
ALTER TABLE sources ADD COLUMN account_id TEXT;
UPDATE sources SET account_id = (SELECT account_id FROM connections WHERE connections.id = sources.connection_id);
ALTER TABLE holds ADD COLUMN account_id TEXT;
CREATE INDEX syncs_finished ON syncs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX nodes_read ON nodes (source_id, read_at);
";

const DOWN: &str = r"
DROP INDEX nodes_read;
DROP INDEX syncs_finished;
ALTER TABLE holds DROP COLUMN account_id;
ALTER TABLE sources DROP COLUMN account_id;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await
    }
}
