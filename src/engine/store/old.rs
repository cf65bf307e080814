//! Syncs and documents that have been kept for long enough.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};

use crate::{
    app::Db,
    entity::{
        change,
        document::{self, DocumentState},
        file, hold, source, sync,
    },
    ids::{ChangeId, DocumentId, SyncId},
};

/// Syncs of one portion, each with few lines as a rule.
const SYNCS: u64 = 100;
/// Lines of their lists in one portion.
const CHANGES: u64 = 2_000;
/// Documents of one portion.
const DOCUMENTS: u64 = 500;
/// Rows that one statement names.
const AT_ONCE: usize = 500;

/// Forgets some syncs that were finished before then, their lists first; answers whether there were any. A source's
/// last sync stays, and so does the one that holds removals.
pub async fn forget_syncs(db: &Db, before: DateTime<Utc>) -> Result<bool, DbErr> {
    let last = Query::select()
        .column(source::Column::LastSyncId)
        .from(source::Entity)
        .and_where(source::Column::LastSyncId.is_not_null())
        .take();
    let holding = Query::select().column(hold::Column::SyncId).from(hold::Entity).take();
    let old: Vec<SyncId> = sync::Entity::find()
        .select_only()
        .column(sync::Column::Id)
        .filter(sync::Column::FinishedAt.lt(before))
        .filter(sync::Column::Id.not_in_subquery(last))
        .filter(sync::Column::Id.not_in_subquery(holding))
        .order_by_asc(sync::Column::FinishedAt)
        .limit(SYNCS)
        .into_tuple()
        .all(db.read())
        .await?;
    if old.is_empty() {
        return Ok(false);
    }
    let lines: Vec<ChangeId> = change::Entity::find()
        .select_only()
        .column(change::Column::Id)
        .filter(change::Column::SyncId.is_in(old.iter().copied()))
        .limit(CHANGES)
        .into_tuple()
        .all(db.read())
        .await?;
    for some in lines.chunks(AT_ONCE) {
        let these = change::Column::Id.is_in(some.iter().copied());
        change::Entity::delete_many().filter(these).exec(db.write()).await?;
    }
    if (lines.len() as u64) < CHANGES {
        sync::Entity::delete_many().filter(sync::Column::Id.is_in(old)).exec(db.write()).await?;
    }
    Ok(true)
}

/// Forgets some documents that were removed before then; answers whether there were any. Those with a file on its way
/// out wait for that, and those of a source at work for its run: it may be bringing one back.
pub async fn forget_documents(db: &Db, before: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let old: Vec<DocumentId> = document::Entity::find()
        .select_only()
        .column(document::Column::Id)
        .filter(document::Column::RemovedAt.lt(before))
        .filter(document::Column::State.eq(DocumentState::Removed))
        .filter(Expr::not_exists(its_files()))
        .filter(document::Column::SourceId.not_in_subquery(at_work(now)))
        .order_by_asc(document::Column::RemovedAt)
        .limit(DOCUMENTS)
        .into_tuple()
        .all(db.read())
        .await?;
    if old.is_empty() {
        return Ok(false);
    }
    let tx = db.begin().await?;
    let theirs = Query::select()
        .column(document::Column::SourceId)
        .from(document::Entity)
        .and_where(document::Column::Id.is_in(old.iter().copied()))
        .take();
    source::documents_change().filter(source::Column::Id.in_subquery(theirs)).exec(&tx).await?;
    // What has come back meanwhile stays.
    let gone = document::Entity::delete_many()
        .filter(document::Column::Id.is_in(old))
        .filter(document::Column::State.eq(DocumentState::Removed))
        .filter(Expr::not_exists(its_files()))
        .filter(document::Column::SourceId.not_in_subquery(at_work(now)))
        .exec(&tx)
        .await?;
    tx.commit().await?;
    Ok(gone.rows_affected > 0)
}

fn its_files() -> SelectStatement {
    Query::select()
        .column((file::Entity, file::Column::Id))
        .from(file::Entity)
        .and_where(
            Expr::col((file::Entity, file::Column::DocumentId))
                .equals((document::Entity, document::Column::Id)),
        )
        .take()
}

fn at_work(now: DateTime<Utc>) -> SelectStatement {
    let leased = source::Column::LeaseUntil.gt(now);
    Query::select().column(source::Column::Id).from(source::Entity).and_where(leased).take()
}
