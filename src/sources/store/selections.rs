//! The statements about selections, and about the pages they bring in.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use super::Error;
use crate::{
    app::Db,
    entity::{
        document::{self, DocumentState},
        node,
        selection::{ActiveModel, Column, Entity, Model, SelectionMode},
        source::{self, SourceStatus},
        sync::{SyncMode, SyncTrigger},
    },
    ids::{SelectionId, SourceId},
    syncs,
};

pub(super) async fn insert(db: &impl ConnectionTrait, selections: Vec<Model>) -> Result<(), DbErr> {
    for some in selections.chunks(200) {
        let rows = some.iter().cloned().map(IntoActiveModel::into_active_model);
        Entity::insert_many::<ActiveModel, _>(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

/// The selections of a source, in the order they were made.
pub async fn list(db: &impl ConnectionTrait, source_id: SourceId) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::SourceId.eq(source_id)).order_by_asc(Column::Id).all(db).await
}

/// How to get from the selections a source has to those it is to have.
#[derive(Debug, Default)]
pub struct Edit {
    pub remove: Vec<SelectionId>,
    pub turn: Vec<(SelectionId, SelectionMode)>,
    pub add: Vec<Model>,
}

/// Applies an edit to the revision of the source that the client saw. An active source gets a sync for it.
pub async fn replace(
    db: &Db,
    seen: &source::Model,
    edit: Edit,
    now: DateTime<Utc>,
) -> Result<source::Model, Error> {
    let transaction = db.begin().await?;
    let changes = source::ActiveModel {
        revision: Set(seen.revision + 1),
        selections_revision: Set(seen.selections_revision + 1),
        updated_at: Set(now),
        ..Default::default()
    };
    let done = source::Entity::update_many()
        .set(changes)
        .filter(source::Column::Id.eq(seen.id))
        .filter(source::Column::Revision.eq(seen.revision))
        .filter(source::Column::Status.ne(SourceStatus::Deleting))
        .exec(&transaction)
        .await?;
    if done.rows_affected == 0 {
        return Err(Error::Changed);
    }
    for some in edit.remove.chunks(500) {
        Entity::delete_many().filter(Column::Id.is_in(some.iter().copied())).exec(&transaction).await?;
    }
    for (id, mode) in edit.turn {
        // Turned, it is as if it were new: what it takes out is its person's doing.
        let turned = Entity::update_many()
            .col_expr(Column::Mode, Expr::value(mode))
            .col_expr(Column::VerifiedAt, Expr::value(Option::<DateTime<Utc>>::None));
        turned.filter(Column::Id.eq(id)).exec(&transaction).await?;
    }
    insert(&transaction, edit.add).await?;
    if seen.status == SourceStatus::Active {
        match syncs::store::request_in(&transaction, seen.id, SyncMode::Delta, SyncTrigger::Selection, now)
            .await
        {
            // Paused or blocked a moment ago: the next sync reads the new selections anyhow.
            Ok(_) | Err(syncs::store::Error::NotActive) => {}
            Err(syncs::store::Error::Db(error)) => return Err(error.into()),
        }
    }
    let source = super::the_row(&transaction, seen.id).await?;
    transaction.commit().await?;
    Ok(source)
}

/// Where a page of a source stood when it was last read, and what brought it in.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Placed {
    pub external_id: String,
    pub parent_id: Option<String>,
    pub space_id: String,
    pub selection_id: Option<SelectionId>,
    /// Set if its text is in the store.
    pub live_version: Option<i64>,
}

/// The pages of a source that are not removed, and the parents of the other nodes it knows.
pub async fn placed(
    db: &impl ConnectionTrait,
    source_id: SourceId,
) -> Result<(Vec<Placed>, Vec<(String, Option<String>)>), DbErr> {
    let pages = document::Entity::find()
        .select_only()
        .columns([
            document::Column::ExternalId,
            document::Column::ParentId,
            document::Column::SpaceId,
            document::Column::SelectionId,
            document::Column::LiveVersion,
        ])
        .filter(document::Column::SourceId.eq(source_id))
        .filter(document::Column::State.ne(DocumentState::Removed))
        .into_model::<Placed>()
        .all(db)
        .await?;
    let nodes = node::Entity::find()
        .select_only()
        .columns([node::Column::ExternalId, node::Column::ParentId])
        .filter(node::Column::SourceId.eq(source_id))
        .into_tuple()
        .all(db)
        .await?;
    Ok((pages, nodes))
}
