//! Documents, the files that hold their renderings at OpenAI, and the batches that attach them.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 4] = ["documents", "batches", "files", "file_texts"];

const UP: &str = r"
CREATE TABLE documents (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    external_id TEXT NOT NULL,
    selection_id UUID,
    title TEXT NOT NULL,
    url TEXT NOT NULL,
    space_id TEXT NOT NULL,
    parent_id TEXT,
    parent_kind TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'indexing', 'live', 'suspect', 'skipped', 'failed', 'removed')),
    reason TEXT,
    message TEXT,
    work TEXT NOT NULL CHECK (work IN ('none', 'revise', 'create', 'metadata')),
    wanted_version BIGINT NOT NULL,
    rendered_version BIGINT,
    live_version BIGINT,
    edited_at TIMESTAMPTZ NOT NULL,
    detected_at TIMESTAMPTZ NOT NULL,
    searchable_at TIMESTAMPTZ,
    verified_at TIMESTAMPTZ,
    suspect_since TIMESTAMPTZ,
    evidence JSONB,
    failures INTEGER NOT NULL,
    retry_at TIMESTAMPTZ,
    refused_sha256 BYTEA,
    removed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (source_id, kind, external_id)
);
CREATE INDEX documents_listed ON documents (source_id, id);
CREATE INDEX documents_by_state ON documents (source_id, state, id);
CREATE INDEX documents_by_parent ON documents (source_id, parent_id);
CREATE INDEX documents_to_do ON documents (source_id, work, id) WHERE work <> 'none';
CREATE INDEX documents_removed ON documents (removed_at) WHERE removed_at IS NOT NULL;
CREATE TABLE batches (
    id UUID PRIMARY KEY,
    source_id UUID NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    knowledge_base_id UUID NOT NULL REFERENCES knowledge_bases (id),
    vendor_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('sending', 'open', 'single', 'lost')),
    size INTEGER NOT NULL,
    sent_at TIMESTAMPTZ NOT NULL,
    deadline_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX batches_source ON batches (source_id);
CREATE TABLE files (
    id UUID PRIMARY KEY,
    document_id UUID NOT NULL REFERENCES documents (id),
    source_id UUID NOT NULL REFERENCES sources (id),
    knowledge_base_id UUID NOT NULL REFERENCES knowledge_bases (id),
    role TEXT NOT NULL CHECK (role IN ('candidate', 'live', 'retiring')),
    stage TEXT NOT NULL CHECK (stage IN ('uploading', 'uploaded', 'attaching', 'indexing', 'completed')),
    file_name TEXT NOT NULL UNIQUE,
    openai_file_id TEXT,
    batch_id UUID REFERENCES batches (id) ON DELETE SET NULL,
    sha256 BYTEA NOT NULL,
    bytes BIGINT NOT NULL,
    version BIGINT NOT NULL,
    edited_at TIMESTAMPTZ NOT NULL,
    attributes JSONB NOT NULL,
    selections_revision BIGINT NOT NULL,
    sent_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    completed_at TIMESTAMPTZ,
    retiring_at TIMESTAMPTZ,
    retire_reason TEXT
);
CREATE UNIQUE INDEX files_one_live ON files (document_id) WHERE role = 'live';
CREATE UNIQUE INDEX files_one_candidate ON files (document_id) WHERE role = 'candidate';
CREATE INDEX files_document ON files (document_id);
CREATE INDEX files_under_way ON files (source_id, role, stage, id) WHERE role <> 'live';
CREATE INDEX files_retiring ON files (knowledge_base_id, id) WHERE role = 'retiring';
CREATE INDEX files_knowledge_base ON files (knowledge_base_id, openai_file_id);
CREATE INDEX files_batch ON files (batch_id);
CREATE TABLE file_texts (
    file_id UUID PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    text BYTEA NOT NULL
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
