//! The installation, its processes and leases; workspaces and their API keys.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 6] =
    ["installation", "replicas", "leases", "workspaces", "api_keys", "idempotency_keys"];

const UP: &str = r"
CREATE TABLE installation (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    id UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE replicas (
    id UUID PRIMARY KEY,
    started_at TIMESTAMPTZ NOT NULL,
    last_tick_at TIMESTAMPTZ
);
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder UUID,
    held_until TIMESTAMPTZ,
    fence BIGINT NOT NULL
);
CREATE TABLE workspaces (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'deleting')),
    external_id TEXT UNIQUE,
    metadata JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE api_keys (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    secret_sha256 BYTEA NOT NULL UNIQUE,
    scopes JSONB NOT NULL,
    bootstrap BOOLEAN NOT NULL,
    external_id TEXT,
    metadata JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX api_keys_workspace ON api_keys (workspace_id, id);
CREATE TABLE idempotency_keys (
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    route TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_sha256 BYTEA NOT NULL,
    status INTEGER,
    response BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (workspace_id, principal, route, idempotency_key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
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
