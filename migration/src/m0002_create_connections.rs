//! Grants, connections, their sites and the attempts to authorize them; the ledger of Confluence points.

use sea_orm_migration::prelude::*;

use crate::ddl;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 5] = ["grants", "connections", "connection_sites", "connection_attempts", "points"];

const UP: &str = r"
CREATE TABLE grants (
    id UUID PRIMARY KEY,
    client_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'dead')),
    tokens BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    access_expires_at TIMESTAMPTZ NOT NULL,
    generation BIGINT NOT NULL,
    refresh_holder UUID,
    refresh_until TIMESTAMPTZ,
    refresh_sent_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (client_id, account_id)
);
CREATE TABLE connections (
    id UUID PRIMARY KEY,
    workspace_id UUID NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    auth TEXT NOT NULL CHECK (auth IN ('oauth', 'api_token')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'authorized', 'active', 'needs_reconnect', 'failed', 'expired')),
    owner TEXT NOT NULL,
    grant_id UUID REFERENCES grants (id),
    account_id TEXT,
    account_name TEXT,
    site_url TEXT,
    credential BYTEA,
    problem JSONB,
    external_id TEXT,
    metadata JSONB NOT NULL,
    revision BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX connections_workspace ON connections (workspace_id, id);
CREATE INDEX connections_grant ON connections (grant_id);
CREATE TABLE connection_sites (
    connection_id UUID NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    cloud_id TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (connection_id, cloud_id)
);
CREATE TABLE connection_attempts (
    id UUID PRIMARY KEY,
    connection_id UUID NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('pending', 'authorized', 'confirmed', 'failed', 'expired')),
    principal TEXT NOT NULL,
    state_sha256 BYTEA NOT NULL UNIQUE,
    return_url TEXT,
    code_sha256 BYTEA,
    tries INTEGER NOT NULL,
    parked BYTEA,
    account_id TEXT,
    account_name TEXT,
    sites JSONB NOT NULL,
    error TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX connection_attempts_connection ON connection_attempts (connection_id);
CREATE TABLE points (
    app TEXT NOT NULL,
    hour TIMESTAMPTZ NOT NULL,
    consumer TEXT NOT NULL,
    spent BIGINT NOT NULL,
    PRIMARY KEY (app, hour, consumer)
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
