//! Syncs, their runs and changes, and the removals that are held for a person.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 5] = ["syncs", "runs", "changes", "holds", "held_removals"];

const UP: &str = r"
CREATE TABLE syncs (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    trigger TEXT NOT NULL CHECK (trigger IN ('interval', 'manual', 'hint', 'selection')),
    mode TEXT NOT NULL CHECK (mode IN ('delta', 'full', 'plan')),
    status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'held', 'planned', 'succeeded', 'partial', 'failed', 'cancelled')),
    step TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT,
    counts JSONB NOT NULL,
    problem JSONB,
    cancel_requested BOOLEAN NOT NULL,
    not_before TIMESTAMPTZ,
    observed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX syncs_one_queued ON syncs (source_id) WHERE status = 'queued';
CREATE UNIQUE INDEX syncs_one_running ON syncs (source_id) WHERE status = 'running';
CREATE INDEX syncs_workspace ON syncs (workspace_id, id);
CREATE INDEX syncs_source ON syncs (source_id, id);
CREATE INDEX syncs_open ON syncs (status, not_before) WHERE status IN ('queued', 'running');
CREATE TABLE runs (
    id UUID PRIMARY KEY,
    sync_id UUID NOT NULL REFERENCES syncs (id) ON DELETE CASCADE,
    replica_id UUID NOT NULL,
    fence BIGINT NOT NULL,
    outcome TEXT,
    report JSONB,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);
CREATE INDEX runs_sync ON runs (sync_id, id);
CREATE TABLE changes (
    id UUID PRIMARY KEY,
    sync_id UUID NOT NULL REFERENCES syncs (id) ON DELETE CASCADE,
    document_id UUID,
    page_id TEXT NOT NULL,
    title TEXT NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    evidence JSONB,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX changes_sync ON changes (sync_id, id);
CREATE TABLE holds (
    source_id UUID PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
    sync_id UUID NOT NULL,
    reason TEXT NOT NULL,
    live_documents BIGINT NOT NULL,
    rejected BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE held_removals (
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    document_id UUID NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    evidence JSONB NOT NULL,
    approved BOOLEAN NOT NULL,
    PRIMARY KEY (source_id, document_id)
);
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        ddl::drop_tables(manager, &TABLES).await
    }
}
