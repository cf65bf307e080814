//! The statements about reconciles as people ask for them and see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use crate::{
    app::Db,
    entity::{
        finding::{self, FindingKind, FindingOutcome},
        knowledge_base,
        reconcile::{
            ActiveModel, Column, Entity, Model, ReconcileKind, ReconcileStatus, ReconcileStep,
            ReconcileTrigger,
        },
    },
    ids::{FindingId, KnowledgeBaseId, ReconcileId, WorkspaceId},
};

/// A reconcile that waits for its turn.
#[must_use]
pub fn queued(
    knowledge_base: &knowledge_base::Model,
    kind: ReconcileKind,
    trigger: ReconcileTrigger,
    dry_run: bool,
    now: DateTime<Utc>,
) -> Model {
    Model {
        id: ReconcileId::new(),
        workspace_id: knowledge_base.workspace_id,
        knowledge_base_id: knowledge_base.id,
        kind,
        trigger,
        dry_run,
        status: ReconcileStatus::Queued,
        step: ReconcileStep::Queued,
        approved: false,
        vector_store_id: match kind {
            ReconcileKind::Reconcile => knowledge_base.vector_store_id.clone(),
            ReconcileKind::Rebuild => None,
        },
        list_after: None,
        row_after: None,
        done: 0,
        total: None,
        foreign_files: 0,
        kept_files: 0,
        problem: None,
        sent_at: None,
        not_before: None,
        created_at: now,
        started_at: None,
        finished_at: None,
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Requested {
    /// It waits for its turn.
    Queued(Model),
    /// The same is under way.
    Existing(Model),
    /// Something else is under way.
    Other(Model),
}

/// Asks for a reconcile or a rebuild: one a knowledge base is under way at a time.
pub async fn request(db: &Db, row: Model) -> Result<Requested, DbErr> {
    let tx = db.begin().await?;
    // Whoever asks at the same time waits here.
    knowledge_base::Entity::update_many()
        .col_expr(knowledge_base::Column::Revision, Expr::col(knowledge_base::Column::Revision))
        .filter(knowledge_base::Column::Id.eq(row.knowledge_base_id))
        .exec(&tx)
        .await?;
    if let Some(open) = open(&tx, row.knowledge_base_id).await? {
        return Ok(beside(open, &row));
    }
    Entity::insert(row.clone().into_active_model()).exec_without_returning(&tx).await?;
    tx.commit().await?;
    Ok(Requested::Queued(row))
}

/// What is under way for a knowledge base.
pub async fn open(
    db: &impl ConnectionTrait,
    knowledge_base: KnowledgeBaseId,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::KnowledgeBaseId.eq(knowledge_base))
        .filter(Column::Status.is_in(ReconcileStatus::OPEN))
        .one(db)
        .await
}

/// What becomes of a wish while something is under way.
#[must_use]
pub fn beside(open: Model, wanted: &Model) -> Requested {
    let same = (open.kind, open.dry_run) == (wanted.kind, wanted.dry_run);
    if same { Requested::Existing(open) } else { Requested::Other(open) }
}

/// One reconcile of a workspace.
pub async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: ReconcileId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await
}

/// The reconciles of a knowledge base, newest first.
pub async fn list(
    db: &impl ConnectionTrait,
    knowledge_base: KnowledgeBaseId,
    before: Option<ReconcileId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut select = Entity::find().filter(Column::KnowledgeBaseId.eq(knowledge_base));
    if let Some(before) = before {
        select = select.filter(Column::Id.lt(before));
    }
    select.order_by_desc(Column::Id).limit(limit).all(db).await
}

/// What a reconcile found, in that order.
pub async fn findings(
    db: &impl ConnectionTrait,
    reconcile: ReconcileId,
    after: Option<FindingId>,
    limit: u64,
) -> Result<Vec<finding::Model>, DbErr> {
    let mut select = finding::Entity::find()
        .filter(finding::Column::ReconcileId.eq(reconcile))
        .filter(finding::Column::Outcome.ne(FindingOutcome::Dismissed));
    if let Some(after) = after {
        select = select.filter(finding::Column::Id.gt(after));
    }
    select.order_by_asc(finding::Column::Id).limit(limit).all(db).await
}

#[derive(FromQueryResult)]
struct Tally {
    reconcile_id: ReconcileId,
    kind: FindingKind,
    outcome: FindingOutcome,
    count: i64,
}

/// How many findings of each kind came to each outcome.
pub type Tallies = HashMap<ReconcileId, Vec<(FindingKind, FindingOutcome, i64)>>;

/// Counts the findings of reconciles.
pub async fn tally(db: &impl ConnectionTrait, reconciles: &[ReconcileId]) -> Result<Tallies, DbErr> {
    let rows = finding::Entity::find()
        .select_only()
        .columns([finding::Column::ReconcileId, finding::Column::Kind, finding::Column::Outcome])
        .column_as(finding::Column::Id.count(), "count")
        .filter(finding::Column::ReconcileId.is_in(reconciles.iter().copied()))
        .group_by(finding::Column::ReconcileId)
        .group_by(finding::Column::Kind)
        .group_by(finding::Column::Outcome)
        .into_model::<Tally>()
        .all(db)
        .await?;
    let mut tallies = Tallies::new();
    for row in rows {
        tallies.entry(row.reconcile_id).or_default().push((row.kind, row.outcome, row.count));
    }
    Ok(tallies)
}

/// Lets a reconcile go on with the removals that it held: each is looked at again first. `None` if it holds none, or
/// another one is under way.
pub async fn approve(db: &Db, seen: &Model) -> Result<Option<Model>, DbErr> {
    let tx = db.begin().await?;
    let open = open(&tx, seen.knowledge_base_id).await?;
    let approved = ActiveModel {
        status: Set(ReconcileStatus::Queued),
        step: Set(ReconcileStep::Confirm),
        approved: Set(true),
        finished_at: Set(None),
        not_before: Set(None),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(approved)
        .filter(Column::Id.eq(seen.id))
        .filter(Column::Status.eq(ReconcileStatus::Held));
    if open.is_some() || done.exec(&tx).await?.rows_affected == 0 {
        return Ok(None);
    }
    finding::Entity::update_many()
        .col_expr(finding::Column::Outcome, Expr::value(FindingOutcome::Found))
        .filter(finding::Column::ReconcileId.eq(seen.id))
        .filter(finding::Column::Outcome.eq(FindingOutcome::Held))
        .exec(&tx)
        .await?;
    let row = Entity::find_by_id(seen.id).one(&tx).await?;
    tx.commit().await?;
    Ok(row)
}
