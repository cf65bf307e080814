//! The statements about sources.

mod selections;
mod situation;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, RelationDef, SqlErr,
    sea_query::{Expr, ExprTrait},
};

use super::Standing;
use crate::{
    app::Db,
    entity::{
        Metadata, SourceOptions, connection, document, knowledge_base, selection,
        source::{ActiveModel, Column, Entity, Model, SourceStatus},
        sync::{self, SyncMode, SyncTrigger},
    },
    ids::{ConnectionId, KnowledgeBaseId, SourceId, WorkspaceId},
    syncs,
};

pub use selections::{Edit, Placed, list as selections_of, placed, replace as replace_selections};
pub use situation::{Held, Situation, oldest_verifications, situations};

/// A source could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The site feeds the knowledge base already, through this source.
    #[error("{0} feeds the knowledge base from this site already")]
    Exists(SourceId),
    /// Somebody else changed it meanwhile.
    #[error("the source has changed meanwhile")]
    Changed,
    /// It is being deleted.
    #[error("the source is being deleted")]
    Deleting,
    /// The database refused.
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// How the documents join their source.
#[must_use]
pub fn of_documents() -> RelationDef {
    document::Entity::belongs_to(Entity).from(document::Column::SourceId).to(Column::Id).into()
}

/// Writes a new source with its selections and, unless it is paused, its first sync.
pub async fn insert(
    db: &Db,
    source: Model,
    selections: Vec<selection::Model>,
    now: DateTime<Utc>,
) -> Result<Model, Error> {
    let transaction = db.begin().await?;
    if let Err(error) =
        Entity::insert(source.clone().into_active_model()).exec_without_returning(&transaction).await
    {
        if !matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
            return Err(error.into());
        }
        transaction.rollback().await?;
        let twin = Column::KnowledgeBaseId
            .eq(source.knowledge_base_id)
            .and(Column::CloudId.eq(source.cloud_id.as_str()));
        return match Entity::find().filter(twin).one(db.read()).await? {
            Some(other) => Err(Error::Exists(other.id)),
            None => Err(error.into()),
        };
    }
    selections::insert(&transaction, selections).await?;
    if source.status == SourceStatus::Active {
        let (mode, trigger) = (SyncMode::Delta, SyncTrigger::Selection);
        let first = syncs::store::queued(source.workspace_id, source.id, mode, trigger, now);
        sync::Entity::insert(first.into_active_model()).exec_without_returning(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(source)
}

/// One source of a workspace.
pub async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: SourceId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await
}

/// How often the documents of a source may have changed.
pub async fn documents_revision(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: SourceId,
) -> Result<Option<i64>, DbErr> {
    Entity::find_by_id(id)
        .select_only()
        .column(Column::DocumentsRevision)
        .filter(Column::WorkspaceId.eq(workspace_id))
        .into_tuple()
        // `one` would bind a limit, which makes SQLite plan the statement anew each time; an id has one row at most.
        .all(db)
        .await
        .map(|revisions| revisions.first().copied())
}

/// Which sources to list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    pub knowledge_base_id: Option<KnowledgeBaseId>,
    pub connection_id: Option<ConnectionId>,
    pub status: Option<SourceStatus>,
    pub external_id: Option<&'a str>,
}

/// The sources of a workspace, oldest first.
pub async fn list(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    filter: &Filter<'_>,
    after: Option<SourceId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let filter = Condition::all()
        .add(Column::WorkspaceId.eq(workspace_id))
        .add_option(filter.knowledge_base_id.map(|id| Column::KnowledgeBaseId.eq(id)))
        .add_option(filter.connection_id.map(|id| Column::ConnectionId.eq(id)))
        .add_option(filter.status.map(|status| Column::Status.eq(status)))
        .add_option(filter.external_id.map(|id| Column::ExternalId.eq(id)))
        .add_option(after.map(|after| Column::Id.gt(after)));
    Entity::find().filter(filter).order_by_asc(Column::Id).limit(limit).all(db).await
}

/// What a client changes about a source; absent fields stay.
#[derive(Debug, Default)]
pub struct Patch {
    pub name: Option<String>,
    pub interval_seconds: Option<i32>,
    pub options: Option<SourceOptions>,
    pub connection_id: Option<ConnectionId>,
    pub external_id: Option<Option<String>>,
    pub metadata: Option<Metadata>,
}

/// All sources of a knowledge base, oldest first.
pub async fn of_knowledge_base(db: &impl ConnectionTrait, id: KnowledgeBaseId) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::KnowledgeBaseId.eq(id)).order_by_asc(Column::Id).all(db).await
}

/// Applies a patch to the revision the client saw. A new connection ends a run that still uses the old one, and what
/// the old one had blocked.
pub async fn patch(db: &Db, seen: &Model, patch: Patch, now: DateTime<Utc>) -> Result<Model, Error> {
    let transaction = db.begin().await?;
    let mut changes =
        ActiveModel { revision: Set(seen.revision + 1), updated_at: Set(now), ..Default::default() };
    if let Some(name) = patch.name {
        changes.name = Set(name);
    }
    if let Some(interval) = patch.interval_seconds {
        changes.interval_seconds = Set(interval);
        changes.next_sync_at =
            Set(std::cmp::min(seen.next_sync_at, now + TimeDelta::seconds(interval.into())));
    }
    if let Some(options) = patch.options {
        changes.options = Set(options);
    }
    if let Some(external_id) = patch.external_id {
        changes.external_id = Set(external_id);
    }
    if let Some(metadata) = patch.metadata {
        changes.metadata = Set(metadata);
    }
    let reconnected = patch.connection_id.filter(|id| Some(*id) != seen.connection_id);
    if let Some(connection_id) = reconnected {
        changes.connection_id = Set(Some(connection_id));
    }
    let done = Entity::update_many()
        .set(changes)
        .filter(Column::Id.eq(seen.id))
        .filter(Column::Revision.eq(seen.revision))
        .filter(Column::Status.ne(SourceStatus::Deleting))
        .exec(&transaction)
        .await?;
    if done.rows_affected == 0 {
        return Err(Error::Changed);
    }
    if reconnected.is_some() {
        end_run(&transaction, Column::Id.eq(seen.id)).await?;
        restand(&transaction, Column::Id.eq(seen.id), now).await?;
    }
    let patched = the_row(&transaction, seen.id).await?;
    transaction.commit().await?;
    Ok(patched)
}

async fn the_row(db: &impl ConnectionTrait, id: SourceId) -> Result<Model, DbErr> {
    let gone = || DbErr::RecordNotFound(id.to_string());
    Entity::find_by_id(id).one(db).await?.ok_or_else(gone)
}

/// Takes the lease from whoever holds it: its next write or call finds another fence and is not made.
async fn end_run(db: &impl ConnectionTrait, which: impl Into<Condition>) -> Result<(), DbErr> {
    let freed = ActiveModel { lease_holder: Set(None), lease_until: Set(None), ..Default::default() };
    Entity::update_many()
        .set(freed)
        .col_expr(Column::Fence, Expr::col(Column::Fence).add(1))
        .filter(which.into())
        .exec(db)
        .await?;
    Ok(())
}

/// Stops the work on a source until it is resumed. A run under way sees it with its next heartbeat and stops at a safe
/// point; its sync stays open and goes on then.
pub async fn pause(db: &Db, id: SourceId, now: DateTime<Utc>) -> Result<Model, Error> {
    let transaction = db.begin().await?;
    let paused = ActiveModel {
        status: Set(SourceStatus::Paused),
        problem: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    Entity::update_many()
        .set(paused)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.is_in([SourceStatus::Active, SourceStatus::Blocked]))
        .exec(&transaction)
        .await?;
    let source = the_row(&transaction, id).await?;
    transaction.commit().await?;
    if source.status == SourceStatus::Deleting { Err(Error::Deleting) } else { Ok(source) }
}

/// Ends a pause: the source is due at once, unless its connection or knowledge base is lost.
pub async fn resume(db: &Db, id: SourceId, now: DateTime<Utc>) -> Result<Model, Error> {
    let transaction = db.begin().await?;
    let active = ActiveModel {
        status: Set(SourceStatus::Active),
        next_sync_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(active)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(SourceStatus::Paused))
        .exec(&transaction)
        .await?;
    if done.rows_affected == 1 {
        restand(&transaction, Column::Id.eq(id), now).await?;
    }
    let source = the_row(&transaction, id).await?;
    transaction.commit().await?;
    if source.status == SourceStatus::Deleting { Err(Error::Deleting) } else { Ok(source) }
}

/// Blocks or frees the sources of a knowledge base, after its standing changed.
pub async fn follow_knowledge_base(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    restand(db, Column::KnowledgeBaseId.eq(id), now).await
}

/// Blocks or frees the sources of a connection, after its standing changed.
pub async fn follow_connection(
    db: &impl ConnectionTrait,
    id: ConnectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    restand(db, Column::ConnectionId.eq(id), now).await
}

/// Brings active and blocked sources in line with their connections and knowledge bases. Freed ones are due at once.
async fn restand(
    db: &impl ConnectionTrait,
    which: impl Into<Condition>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let open = Column::Status.is_in([SourceStatus::Active, SourceStatus::Blocked]);
    for source in Entity::find().filter(which.into()).filter(open).all(db).await? {
        let knowledge_base = knowledge_base::Entity::find_by_id(source.knowledge_base_id).one(db).await?;
        let connection = match source.connection_id {
            Some(id) => connection::Entity::find_by_id(id).one(db).await?,
            None => None,
        };
        let standing = Standing::of(connection.as_ref(), knowledge_base.as_ref());
        // What a run noted on a source that is active stays.
        let same_problem = standing.problem == source.problem;
        if standing.status == source.status && (same_problem || standing.status == SourceStatus::Active) {
            continue;
        }
        let mut changes = ActiveModel {
            status: Set(standing.status),
            problem: Set(standing.problem),
            updated_at: Set(now),
            ..Default::default()
        };
        if standing.status == SourceStatus::Active {
            changes.next_sync_at = Set(now);
        }
        Entity::update_many().set(changes).filter(Column::Id.eq(source.id)).exec(db).await?;
    }
    Ok(())
}

/// Begins the end of a source: its run loses the lease, its open syncs are cancelled, its connection is let go.
pub async fn begin_delete(db: &Db, id: SourceId, keep: bool, now: DateTime<Utc>) -> Result<Model, DbErr> {
    let transaction = db.begin().await?;
    begin_delete_where(&transaction, Column::Id.eq(id).into(), keep, now).await?;
    let source = the_row(&transaction, id).await?;
    transaction.commit().await?;
    Ok(source)
}

/// The same for all sources of a knowledge base; their documents go, too. Call it within a transaction.
pub async fn begin_delete_all(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    begin_delete_where(db, Column::KnowledgeBaseId.eq(id).into(), false, now).await
}

async fn begin_delete_where(
    db: &impl ConnectionTrait,
    which: Condition,
    keep: bool,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let ending = ActiveModel {
        status: Set(SourceStatus::Deleting),
        problem: Set(None),
        connection_id: Set(None),
        keep_documents: Set(keep),
        next_sync_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    // What a person decided first about the documents stands: asking again does not turn `keep` into `remove`.
    let fresh = which.add(Column::Status.ne(SourceStatus::Deleting));
    let ids: Vec<SourceId> =
        Entity::find().select_only().column(Column::Id).filter(fresh).into_tuple().all(db).await?;
    Entity::update_many().set(ending).filter(Column::Id.is_in(ids.iter().copied())).exec(db).await?;
    end_run(db, Column::Id.is_in(ids.iter().copied())).await?;
    syncs::store::cancel_open(db, &ids, now).await
}

/// Makes a source due now, with a sync of this mode: the queued one, or a new one. Nothing for a source that is not
/// active.
pub async fn make_due(
    db: &Db,
    id: SourceId,
    trigger: SyncTrigger,
    mode: SyncMode,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    match syncs::store::request(db, id, mode, trigger, now).await {
        Ok(_) | Err(syncs::store::Error::NotActive) => Ok(()),
        Err(syncs::store::Error::Db(error)) => Err(error),
    }
}
