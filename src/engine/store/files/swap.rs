//! The swap: the only place where documents change their live file.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, Query},
};

use super::retiring::retire_where;
use crate::{
    entity::{
        document::{self, DocumentState, Work},
        file::{self, FileRole, FileStage},
    },
    ids::{DocumentId, FileId},
};

/// The candidates become live, what was live retires.
///
/// Only files that are still candidates of documents that are still wanted are swapped; the others are left to whoever
/// changed them. A document whose newest version is newer still keeps its work.
pub async fn swap(tx: &impl ConnectionTrait, files: &[FileId], now: DateTime<Utc>) -> Result<(), DbErr> {
    for some in files.chunks(400) {
        let ready =
            Condition::all().add(file::Column::Id.is_in(some.iter().copied())).add(FileRole::Candidate.is());
        let documents = Query::select()
            .column(file::Column::DocumentId)
            .from(file::Entity)
            .cond_where(ready.clone())
            .take();
        retire_where(
            tx,
            Condition::all().add(file::Column::DocumentId.in_subquery(documents)).add(FileRole::Live.is()),
            "replaced",
            now,
        )
        .await?;
        file::Entity::update_many()
            .col_expr(file::Column::Role, Expr::value(FileRole::Live))
            .col_expr(file::Column::Stage, Expr::value(FileStage::Completed))
            .col_expr(file::Column::CompletedAt, Expr::value(now))
            .filter(ready)
            .exec(tx)
            .await?;
        make_live(tx, some, now).await?;
    }
    Ok(())
}

async fn make_live(tx: &impl ConnectionTrait, files: &[FileId], now: DateTime<Utc>) -> Result<(), DbErr> {
    let version = |role: FileRole| {
        Query::select()
            .column((file::Entity, file::Column::Version))
            .from(file::Entity)
            .and_where(
                Expr::col((file::Entity, file::Column::DocumentId))
                    .equals((document::Entity, document::Column::Id)),
            )
            .and_where(role.is())
            .take()
    };
    let swapped = Query::select()
        .column(file::Column::DocumentId)
        .from(file::Entity)
        .and_where(file::Column::Id.is_in(files.iter().copied()))
        .and_where(FileRole::Live.is())
        .take();
    let live_version = || Expr::SubQuery(None, Box::new(version(FileRole::Live).into()));
    let none = |column| (column, Expr::value(Option::<String>::None));
    let mut update = document::Entity::update_many()
        .col_expr(
            document::Column::State,
            Expr::case(Expr::col(document::Column::SuspectSince).is_null(), DocumentState::Live)
                .finally(DocumentState::Suspect)
                .into(),
        )
        .col_expr(document::Column::LiveVersion, live_version())
        .col_expr(document::Column::RenderedVersion, live_version())
        .col_expr(
            document::Column::SearchableAt,
            Expr::case(
                Expr::col(document::Column::RenderedVersion).eq(live_version()),
                // Moved to another space, or put there again: it could be found since then.
                Func::coalesce([Expr::col(document::Column::SearchableAt), Expr::value(now)]),
            )
            .finally(now)
            .into(),
        )
        .col_expr(document::Column::Failures, Expr::value(0))
        .col_expr(document::Column::RetryAt, Expr::value(Option::<DateTime<Utc>>::None))
        .col_expr(document::Column::UpdatedAt, Expr::value(now))
        .col_expr(
            document::Column::Work,
            Expr::case(Expr::col(document::Column::WantedVersion).gt(live_version()), Work::Revise)
                .finally(Work::None)
                .into(),
        );
    for (column, value) in [none(document::Column::Reason), none(document::Column::Message)] {
        update = update.col_expr(column, value);
    }
    update.filter(document::Column::Id.in_subquery(swapped)).exec(tx).await?;
    Ok(())
}

/// The documents of those of these files that are still candidates.
pub async fn still_candidates(tx: &impl ConnectionTrait, files: &[FileId]) -> Result<Vec<DocumentId>, DbErr> {
    documents_with(tx, file::Column::Id.is_in(files.iter().copied()), FileRole::Candidate).await
}

/// Of these documents, those that have a live file.
pub async fn with_live_file(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
) -> Result<HashSet<DocumentId>, DbErr> {
    let which = file::Column::DocumentId.is_in(documents.iter().copied());
    Ok(documents_with(tx, which, FileRole::Live).await?.into_iter().collect())
}

async fn documents_with(
    tx: &impl ConnectionTrait,
    which: Expr,
    role: FileRole,
) -> Result<Vec<DocumentId>, DbErr> {
    file::Entity::find()
        .select_only()
        .column(file::Column::DocumentId)
        .filter(which)
        .filter(role.is())
        .into_tuple()
        .all(tx)
        .await
}
