//! The statements about knowledge bases.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    IntoActiveModel, JoinType, QueryFilter, QueryOrder, QuerySelect, SqlErr,
};

use crate::{
    app::Db,
    documents::StateCounts,
    entity::{
        Metadata, Problem, document,
        document::DocumentState,
        file,
        file::FileRole,
        knowledge_base::{ActiveModel, Column, Entity, KnowledgeBaseStatus, Model},
        source,
    },
    ids::{DocumentId, KnowledgeBaseId, WorkspaceId},
    sources,
};

/// A knowledge base could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vector store feeds, or fed, another knowledge base of this installation.
    #[error("the vector store is claimed already")]
    Claimed,
    /// The database refused.
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl Error {
    fn sorted(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Claimed,
            _ => Self::Db(error),
        }
    }
}

/// Writes a new knowledge base. Its vector store is claimed by that.
pub async fn insert(db: &impl ConnectionTrait, knowledge_base: Model) -> Result<Model, Error> {
    let row = knowledge_base.clone().into_active_model();
    Entity::insert(row).exec_without_returning(db).await.map_err(Error::sorted)?;
    Ok(knowledge_base)
}

/// One knowledge base of a workspace.
pub async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: KnowledgeBaseId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await
}

/// The knowledge bases of a workspace, oldest first.
pub async fn list(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    external_id: Option<&str>,
    after: Option<KnowledgeBaseId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let filter = Condition::all()
        .add(Column::WorkspaceId.eq(workspace_id))
        .add_option(external_id.map(|external_id| Column::ExternalId.eq(external_id)))
        .add_option(after.map(|after| Column::Id.gt(after)));
    Entity::find().filter(filter).order_by_asc(Column::Id).limit(limit).all(db).await
}

/// Knowledge bases whose store is still being made, the one waiting longest first.
pub async fn creating(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    let filter = Column::Status.eq(KnowledgeBaseStatus::Creating);
    Entity::find().filter(filter).order_by_asc(Column::UpdatedAt).all(db).await
}

/// Takes the turn to settle a knowledge base that is being created: false if another process has it, or it is settled.
pub async fn take_turn(db: &impl ConnectionTrait, seen: &Model, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .set(ActiveModel { updated_at: Set(now), ..Default::default() })
        .filter(Column::Id.eq(seen.id))
        .filter(Column::Status.eq(KnowledgeBaseStatus::Creating))
        .filter(Column::UpdatedAt.eq(seen.updated_at))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// The store is there: a knowledge base that waited for it is active. False if it no longer waited.
pub async fn settle(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    vector_store_id: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let settled = ActiveModel {
        vector_store_id: Set(Some(vector_store_id.to_owned())),
        status: Set(KnowledgeBaseStatus::Active),
        problem: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(settled)
        .filter(Column::Id.eq(id))
        .filter(Column::VectorStoreId.is_null())
        .filter(Column::Status.ne(KnowledgeBaseStatus::Deleting))
        .exec(db)
        .await
        .map_err(Error::sorted)?;
    Ok(done.rows_affected == 1)
}

/// Forgets a knowledge base whose store was certainly not made.
pub async fn remove_unmade(db: &impl ConnectionTrait, id: KnowledgeBaseId) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::Id.eq(id)).filter(Column::VectorStoreId.is_null()).exec(db).await?;
    Ok(())
}

/// What a client changes about a knowledge base; absent fields stay.
#[derive(Debug, Default)]
pub struct Patch {
    pub name: Option<String>,
    pub external_id: Option<Option<String>>,
    pub metadata: Option<Metadata>,
    /// A sealed key that was seen to reach the store, and its last four characters.
    pub credential: Option<(Vec<u8>, String)>,
}

/// Applies a patch to the revision the client saw; `None` if it is not that revision any more. A new credential ends
/// what the old one had blocked.
pub async fn patch(db: &Db, seen: &Model, patch: Patch, now: DateTime<Utc>) -> Result<Option<Model>, DbErr> {
    let transaction = db.begin().await?;
    let mut changes =
        ActiveModel { revision: Set(seen.revision + 1), updated_at: Set(now), ..Default::default() };
    if let Some(name) = patch.name {
        changes.name = Set(name);
    }
    if let Some(external_id) = patch.external_id {
        changes.external_id = Set(external_id);
    }
    if let Some(metadata) = patch.metadata {
        changes.metadata = Set(metadata);
    }
    let has_new_key = patch.credential.is_some();
    if let Some((credential, last4)) = patch.credential {
        changes.credential = Set(Some(credential));
        changes.credential_last4 = Set(Some(last4));
    }
    let done = Entity::update_many()
        .set(changes)
        .filter(Column::Id.eq(seen.id))
        .filter(Column::Revision.eq(seen.revision))
        .exec(&transaction)
        .await?;
    if done.rows_affected == 0 {
        return Ok(None);
    }
    if has_new_key {
        unblock(&transaction, seen.id, now).await?;
    }
    let patched = Entity::find_by_id(seen.id).one(&transaction).await?;
    transaction.commit().await?;
    Ok(patched)
}

/// The store or key is lost: nothing is synced into it until that is repaired. Its active sources are blocked with it.
pub async fn block(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    problem: Problem,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let blocked = ActiveModel {
        status: Set(KnowledgeBaseStatus::Blocked),
        problem: Set(Some(problem)),
        updated_at: Set(now),
        ..Default::default()
    };
    Entity::update_many()
        .set(blocked)
        .filter(Column::Id.eq(id))
        .filter(Column::Status.ne(KnowledgeBaseStatus::Deleting))
        .exec(db)
        .await?;
    sources::store::follow_knowledge_base(db, id, now).await
}

/// The store was reached again: a blocked knowledge base is active (or waits for its store again), and so are its
/// sources, unless something else blocks them.
pub async fn unblock(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for (status, has_store) in [(KnowledgeBaseStatus::Active, true), (KnowledgeBaseStatus::Creating, false)] {
        let store =
            if has_store { Column::VectorStoreId.is_not_null() } else { Column::VectorStoreId.is_null() };
        let freed = ActiveModel {
            status: Set(status),
            problem: Set(None),
            updated_at: Set(now),
            ..Default::default()
        };
        Entity::update_many()
            .set(freed)
            .filter(Column::Id.eq(id))
            .filter(Column::Status.eq(KnowledgeBaseStatus::Blocked))
            .filter(store)
            .exec(db)
            .await?;
    }
    sources::store::follow_knowledge_base(db, id, now).await
}

/// Begins the end of a knowledge base and of all its sources. Runs under way lose their lease with it. Asking again
/// can add `delete_store` and `forget`, never take them back.
pub async fn begin_delete(
    db: &Db,
    id: KnowledgeBaseId,
    delete_store: bool,
    forget: bool,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let transaction = db.begin().await?;
    let mut ending = ActiveModel {
        status: Set(KnowledgeBaseStatus::Deleting),
        updated_at: Set(now),
        ..Default::default()
    };
    if delete_store {
        ending.delete_store = Set(true);
    }
    if forget {
        ending.forget = Set(true);
    }
    Entity::update_many().set(ending).filter(Column::Id.eq(id)).exec(&transaction).await?;
    sources::store::begin_delete_all(&transaction, id, now).await?;
    let deleting = Entity::find_by_id(id).one(&transaction).await?;
    transaction.commit().await?;
    Ok(deleting)
}

#[derive(FromQueryResult)]
struct StateCount {
    knowledge_base_id: KnowledgeBaseId,
    state: DocumentState,
    count: i64,
}

/// How many documents of each state the sources of these knowledge bases have.
pub async fn count_documents(
    db: &impl ConnectionTrait,
    ids: &[KnowledgeBaseId],
) -> Result<HashMap<KnowledgeBaseId, StateCounts>, DbErr> {
    let rows = document::Entity::find()
        .select_only()
        .column(source::Column::KnowledgeBaseId)
        .column(document::Column::State)
        .column_as(document::Column::Id.count(), "count")
        .join(JoinType::InnerJoin, sources::store::of_documents())
        .filter(source::Column::KnowledgeBaseId.is_in(ids.iter().copied()))
        .group_by(source::Column::KnowledgeBaseId)
        .group_by(document::Column::State)
        .into_model::<StateCount>()
        .all(db)
        .await?;
    let mut counts: HashMap<_, StateCounts> = HashMap::new();
    for row in rows {
        counts.entry(row.knowledge_base_id).or_default().add(row.state, row.count);
    }
    Ok(counts)
}

/// A document that a passage of the store may come from.
#[derive(Debug, FromQueryResult)]
pub struct Known {
    pub id: DocumentId,
    pub cloud_id: String,
    pub external_id: String,
    pub title: String,
    pub url: String,
}

/// The documents of a knowledge base with one of these page ids, and which of them have a live file.
pub async fn known_pages(
    db: &impl ConnectionTrait,
    id: KnowledgeBaseId,
    page_ids: &[&str],
) -> Result<(Vec<Known>, HashSet<DocumentId>), DbErr> {
    let known = document::Entity::find()
        .select_only()
        .columns([
            document::Column::Id,
            document::Column::ExternalId,
            document::Column::Title,
            document::Column::Url,
        ])
        .column(source::Column::CloudId)
        .join(JoinType::InnerJoin, sources::store::of_documents())
        .filter(source::Column::KnowledgeBaseId.eq(id))
        .filter(document::Column::ExternalId.is_in(page_ids.iter().copied()))
        .into_model::<Known>()
        .all(db)
        .await?;
    let live = file::Entity::find()
        .select_only()
        .column(file::Column::DocumentId)
        .filter(file::Column::DocumentId.is_in(known.iter().map(|document| document.id)))
        .filter(FileRole::Live.is())
        .into_tuple::<DocumentId>()
        .all(db)
        .await?;
    Ok((known, live.into_iter().collect()))
}
