//! Reconciles and what they find; the files that people kept; when stores and accounts were last looked through.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 4] = ["reconciles", "findings", "kept_files", "sweeps"];

const UP: &str = r"
CREATE TABLE reconciles (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    knowledge_base_id UUID NOT NULL REFERENCES knowledge_bases (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('reconcile', 'rebuild')),
    trigger TEXT NOT NULL CHECK (trigger IN ('daily', 'manual', 'adoption')),
    dry_run BOOLEAN NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'held', 'succeeded', 'partial', 'failed', 'superseded')),
    step TEXT NOT NULL,
    approved BOOLEAN NOT NULL,
    vector_store_id TEXT,
    list_after TEXT,
    row_after UUID,
    done BIGINT NOT NULL,
    total BIGINT,
    foreign_files BIGINT NOT NULL,
    kept_files BIGINT NOT NULL,
    problem JSONB,
    sent_at TIMESTAMPTZ,
    not_before TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX reconciles_one_open ON reconciles (knowledge_base_id) WHERE status IN ('queued', 'running');
CREATE INDEX reconciles_listed ON reconciles (knowledge_base_id, id);
CREATE INDEX reconciles_workspace ON reconciles (workspace_id, id);
CREATE TABLE findings (
    id UUID PRIMARY KEY,
    reconcile_id UUID NOT NULL REFERENCES reconciles (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('missing', 'broken', 'changed', 'unknown', 'duplicate', 'orphan', 'stray')),
    outcome TEXT NOT NULL CHECK (outcome IN ('found', 'confirmed', 'dismissed', 'waiting', 'held', 'repairing', 'repaired')),
    openai_file_id TEXT NOT NULL,
    file_id UUID,
    document_id UUID,
    page_id TEXT,
    title TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (reconcile_id, openai_file_id)
);
CREATE INDEX findings_by_outcome ON findings (reconcile_id, outcome, id);
CREATE TABLE kept_files (
    openai_file_id TEXT PRIMARY KEY,
    kept_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE sweeps (
    credential TEXT PRIMARY KEY,
    swept_at TIMESTAMPTZ NOT NULL
);
ALTER TABLE knowledge_bases ADD COLUMN last_reconciled_at TIMESTAMPTZ;
ALTER TABLE files ADD COLUMN seen_at TIMESTAMPTZ;
";

const DOWN: &str = r"
ALTER TABLE files DROP COLUMN seen_at;
ALTER TABLE knowledge_bases DROP COLUMN last_reconciled_at;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, DOWN).await?;
        ddl::drop_tables(manager, &TABLES).await
    }
}
