//! Removals: those that are carried out, and those that wait for a person.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{files, nodes};
use crate::{
    engine::guard::{self, Removal},
    entity::{
        Evidence,
        document::{self, DocumentState, Work},
        held_removal, hold,
    },
    ids::{DocumentId, SourceId, SyncId},
};

/// Live documents of a source, and counted removals of the last 24 hours.
pub async fn census(
    db: &impl ConnectionTrait,
    source: SourceId,
    now: DateTime<Utc>,
) -> Result<(u64, u64), DbErr> {
    let live: Option<i64> = document::Entity::find()
        .select_only()
        .expr_as(Expr::col(document::Column::Id).count(), "live")
        .filter(document::Column::SourceId.eq(source))
        .filter(document::Column::LiveVersion.is_not_null())
        .filter(document::Column::State.ne(DocumentState::Removed))
        .into_tuple()
        .one(db)
        .await?;
    let removed = document::Entity::find()
        .filter(document::Column::SourceId.eq(source))
        .filter(document::Column::RemovedAt.gt(now - TimeDelta::hours(24)))
        .all(db)
        .await?;
    let counts =
        |document: &&document::Model| document.evidence.as_ref().is_some_and(|e| guard::counts(e.kind));
    Ok((live.unwrap_or_default().unsigned_abs(), removed.iter().filter(counts).count() as u64))
}

/// A removal that waits for a person, or that one has approved.
#[derive(Clone, Debug)]
pub struct Held {
    /// The document.
    pub document: DocumentId,
    /// Its page.
    pub page_id: String,
    /// Whether a person approved it.
    pub approved: bool,
    /// Whether a person rejected it.
    pub rejected: bool,
}

/// What a source holds.
pub async fn held(db: &impl ConnectionTrait, source: SourceId) -> Result<Vec<Held>, DbErr> {
    let rows = held_removal::Entity::find().filter(held_removal::Column::SourceId.eq(source)).all(db).await?;
    let hold = hold::Entity::find_by_id(source).one(db).await?;
    let rejected = hold.is_some_and(|hold| hold.rejected);
    let mut held = Vec::with_capacity(rows.len());
    for some in rows.chunks(500) {
        let ids = some.iter().map(|row| row.document_id);
        let pages: HashMap<DocumentId, String> = document::Entity::find()
            .select_only()
            .columns([document::Column::Id, document::Column::ExternalId])
            .filter(document::Column::Id.is_in(ids))
            .into_tuple::<(DocumentId, String)>()
            .all(db)
            .await?
            .into_iter()
            .collect();
        held.extend(some.iter().filter_map(|row| {
            let page_id = pages.get(&row.document_id)?.clone();
            Some(Held {
                document: row.document_id,
                page_id,
                approved: row.approved,
                rejected: rejected && !row.approved,
            })
        }));
    }
    Ok(held)
}

/// Carries removals out: the documents are removed from now on, and their files on their way out.
pub async fn remove(
    tx: &impl ConnectionTrait,
    source: SourceId,
    removals: &[Removal],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for removal in removals {
        let reason = reason(&removal.evidence);
        let values = document::ActiveModel {
            state: Set(DocumentState::Removed),
            reason: Set(Some(reason)),
            message: Set(None),
            work: Set(Work::None),
            live_version: Set(None),
            evidence: Set(Some(removal.evidence.clone())),
            suspect_since: Set(None),
            retry_at: Set(None),
            failures: Set(0),
            removed_at: Set(Some(now)),
            updated_at: Set(now),
            ..Default::default()
        };
        document::Entity::update_many()
            .set(values)
            .filter(document::Column::Id.eq(removal.document))
            .exec(tx)
            .await?;
    }
    let ids: Vec<_> = removals.iter().map(|removal| removal.document).collect();
    files::retire_documents(tx, &ids, "removed", now).await?;
    nodes::stand_in(tx, source, &ids, now).await?;
    release(tx, source, &ids).await
}

/// The evidence's kind as the stable word that a document shows.
#[must_use]
pub fn reason(evidence: &Evidence) -> String {
    let word = serde_json::to_value(evidence.kind).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or("removed").to_owned()
}

/// Takes documents out of the source's hold, and forgets the hold when none is left.
pub async fn release(
    tx: &impl ConnectionTrait,
    source: SourceId,
    documents: &[DocumentId],
) -> Result<(), DbErr> {
    for some in documents.chunks(500) {
        held_removal::Entity::delete_many()
            .filter(held_removal::Column::SourceId.eq(source))
            .filter(held_removal::Column::DocumentId.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
    }
    let left = held_removal::Entity::find()
        .filter(held_removal::Column::SourceId.eq(source))
        .limit(1)
        .one(tx)
        .await?;
    if left.is_none() {
        hold::Entity::delete_by_id(source).exec(tx).await?;
    }
    Ok(())
}

/// What a hold says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Hold<'a> {
    /// Whose documents they are.
    pub source: SourceId,
    /// The sync that holds them.
    pub sync: SyncId,
    /// Why, as a stable word.
    pub reason: &'a str,
    /// The account under which they were found, if it is another than that of the documents.
    pub account: Option<&'a str>,
    /// How many documents were live.
    pub live: u64,
}

/// Holds removals for a person, beside those that the source holds already. Answers whether there is something new to
/// say: a rejected set stays silent until it changes.
pub async fn hold(
    tx: &impl ConnectionTrait,
    found: &Hold<'_>,
    removals: &[Removal],
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let source = found.source;
    let known: HashSet<DocumentId> = held_removal::Entity::find()
        .select_only()
        .column(held_removal::Column::DocumentId)
        .filter(held_removal::Column::SourceId.eq(source))
        .into_tuple::<DocumentId>()
        .all(tx)
        .await?
        .into_iter()
        .collect();
    let is_new = removals.iter().any(|removal| !known.contains(&removal.document));
    let row = hold::ActiveModel {
        source_id: Set(source),
        sync_id: Set(found.sync),
        reason: Set(found.reason.to_owned()),
        account_id: Set(found.account.map(str::to_owned)),
        live_documents: Set(found.live.cast_signed()),
        rejected: Set(false),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let mut columns = vec![
        hold::Column::Reason,
        hold::Column::AccountId,
        hold::Column::LiveDocuments,
        hold::Column::UpdatedAt,
    ];
    if is_new {
        columns.extend([hold::Column::Rejected, hold::Column::SyncId]);
    }
    let conflict = OnConflict::column(hold::Column::SourceId).update_columns(columns).to_owned();
    hold::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx).await?;
    let rows = removals.iter().map(|removal| held_removal::ActiveModel {
        source_id: Set(source),
        document_id: Set(removal.document),
        evidence: Set(removal.evidence.clone()),
        approved: Set(false),
    });
    let conflict = OnConflict::columns([held_removal::Column::SourceId, held_removal::Column::DocumentId])
        .update_column(held_removal::Column::Evidence)
        .to_owned();
    held_removal::Entity::insert_many(rows).on_conflict(conflict).exec_without_returning(tx).await?;
    Ok(is_new)
}

/// Whether the source holds removals, decided about or not.
pub async fn any(db: &impl ConnectionTrait, source: SourceId) -> Result<bool, DbErr> {
    Ok(hold::Entity::find_by_id(source).one(db).await?.is_some())
}
