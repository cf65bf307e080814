//! What is being deleted, and its last statements.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::Query,
};

use super::lease::Lease;
use crate::{
    app::Db,
    entity::{
        connection,
        knowledge_base::{self, KnowledgeBaseStatus},
        source::{self, SourceStatus},
        workspace::{self, WorkspaceStatus},
    },
    ids::{KnowledgeBaseId, ReplicaId, SourceId},
};

/// A source that is being deleted, with the right to go on with it.
#[derive(Debug)]
pub struct Doomed {
    /// Proof of it.
    pub lease: Lease,
    /// The source.
    pub source: source::Model,
    /// Where its files are.
    pub knowledge_base: knowledge_base::Model,
}

/// Takes a source that is being deleted and that nobody works on.
pub async fn claim(
    db: &Db,
    holder: ReplicaId,
    length: Duration,
    skip: &[SourceId],
    now: DateTime<Utc>,
) -> Result<Option<Doomed>, DbErr> {
    let waiting = source::Entity::find().filter(doomed(skip)).limit(1).one(db.read()).await?;
    if waiting.is_none() {
        return Ok(None);
    }
    let tx = db.begin().await?;
    let Some((lease, source)) = Lease::take(&tx, doomed(skip), holder, length, now).await? else {
        return Ok(None);
    };
    let knowledge_base = super::syncs::knowledge_base(&tx, source.knowledge_base_id).await?;
    tx.commit().await?;
    Ok(Some(Doomed { lease, source, knowledge_base }))
}

fn doomed(skip: &[SourceId]) -> Condition {
    Condition::all()
        .add(source::Column::Status.eq(SourceStatus::Deleting))
        .add(source::Column::Id.is_not_in(skip.iter().copied()))
}

/// Deletes a source of which no file is left, with everything below it.
pub async fn source(tx: &impl ConnectionTrait, id: SourceId) -> Result<(), DbErr> {
    source::Entity::delete_by_id(id).exec(tx).await?;
    Ok(())
}

/// Knowledge bases that are being deleted and have no source left.
pub async fn empty_knowledge_bases(db: &impl ConnectionTrait) -> Result<Vec<knowledge_base::Model>, DbErr> {
    let used = Query::select().column(source::Column::KnowledgeBaseId).from(source::Entity).take();
    knowledge_base::Entity::find()
        .filter(knowledge_base::Column::Status.eq(KnowledgeBaseStatus::Deleting))
        .filter(knowledge_base::Column::Id.not_in_subquery(used))
        .all(db)
        .await
}

/// Knowledge bases whose vector store is being made.
pub async fn creating_knowledge_bases(
    db: &impl ConnectionTrait,
) -> Result<Vec<knowledge_base::Model>, DbErr> {
    knowledge_base::Entity::find()
        .filter(knowledge_base::Column::Status.eq(KnowledgeBaseStatus::Creating))
        .all(db)
        .await
}

/// Deletes a knowledge base that has no source left.
pub async fn knowledge_base(db: &Db, id: KnowledgeBaseId) -> Result<(), DbErr> {
    knowledge_base::Entity::delete_by_id(id).exec(db.write()).await?;
    Ok(())
}

/// Erases workspaces that are being deleted and have no knowledge base left.
pub async fn workspaces(db: &Db) -> Result<(), DbErr> {
    let used =
        Query::select().column(knowledge_base::Column::WorkspaceId).from(knowledge_base::Entity).take();
    let doomed = workspace::Entity::find()
        .filter(workspace::Column::Status.eq(WorkspaceStatus::Deleting))
        .filter(workspace::Column::Id.not_in_subquery(used))
        .all(db.read())
        .await?;
    for workspace in doomed {
        let tx = db.begin().await?;
        connection::Entity::delete_many()
            .filter(connection::Column::WorkspaceId.eq(workspace.id))
            .exec(&tx)
            .await?;
        workspace::Entity::delete_by_id(workspace.id).exec(&tx).await?;
        tx.commit().await?;
        tracing::info!(workspace.id = %workspace.id, "a workspace was erased");
    }
    Ok(())
}
