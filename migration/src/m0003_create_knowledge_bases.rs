//! Knowledge bases, their sources, and what each source selects.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 5] = ["knowledge_bases", "sources", "selections", "source_spaces", "nodes"];

const UP: &str = r"
CREATE TABLE knowledge_bases (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    openai_base_url TEXT NOT NULL,
    vector_store_id TEXT,
    origin TEXT NOT NULL CHECK (origin IN ('created', 'adopted')),
    status TEXT NOT NULL CHECK (status IN ('creating', 'active', 'blocked', 'deleting')),
    problem JSONB,
    credential BYTEA,
    credential_last4 TEXT,
    delete_store BOOLEAN NOT NULL,
    forget BOOLEAN NOT NULL,
    external_id TEXT,
    metadata JSONB NOT NULL,
    revision BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (openai_base_url, vector_store_id)
);
CREATE INDEX knowledge_bases_workspace ON knowledge_bases (workspace_id, id);
CREATE TABLE sources (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    knowledge_base_id UUID NOT NULL REFERENCES knowledge_bases (id),
    connection_id UUID REFERENCES connections (id),
    cloud_id TEXT NOT NULL,
    site_url TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'blocked', 'deleting')),
    problem JSONB,
    options JSONB NOT NULL,
    interval_seconds INTEGER NOT NULL,
    selections_revision BIGINT NOT NULL,
    keep_documents BOOLEAN NOT NULL,
    fence BIGINT NOT NULL,
    lease_holder UUID,
    lease_until TIMESTAMPTZ,
    next_sync_at TIMESTAMPTZ NOT NULL,
    last_checked_at TIMESTAMPTZ,
    last_sync_id UUID,
    external_id TEXT,
    metadata JSONB NOT NULL,
    revision BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (knowledge_base_id, cloud_id)
);
CREATE INDEX sources_workspace ON sources (workspace_id, id);
CREATE INDEX sources_connection ON sources (connection_id);
CREATE INDEX sources_due ON sources (status, next_sync_at);
CREATE TABLE selections (
    id UUID PRIMARY KEY,
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('page', 'page_tree', 'folder', 'space')),
    mode TEXT NOT NULL CHECK (mode IN ('include', 'exclude')),
    external_id TEXT NOT NULL,
    title TEXT NOT NULL,
    space_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('ok', 'missing', 'unreachable')),
    problem_since TIMESTAMPTZ,
    verified_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (source_id, kind, external_id)
);
CREATE TABLE source_spaces (
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    space_id TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    watermark TIMESTAMPTZ,
    PRIMARY KEY (source_id, space_id)
);
CREATE TABLE nodes (
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    parent_id TEXT,
    parent_kind TEXT,
    read_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (source_id, external_id)
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
