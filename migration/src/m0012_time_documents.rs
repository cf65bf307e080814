//! Which documents' times tell how soon an edit shows: not those of pages that were there before they were watched.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &str = r"
ALTER TABLE documents ADD COLUMN timed BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX documents_timed ON documents (source_id, searchable_at) WHERE timed;
";

const DOWN: &str = r"
DROP INDEX documents_timed;
ALTER TABLE documents DROP COLUMN timed;
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
