//! The list of what a sync did, or would do.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::{
    entity::{
        Cost, Evidence,
        change::{self, ChangeKind, ChangeOutcome},
        document,
    },
    ids::{ChangeId, DocumentId, SyncId},
};

/// One line of the list.
#[derive(Clone, Debug)]
pub struct Line {
    /// The document, if there is one yet.
    pub document: Option<DocumentId>,
    /// The page and its title; looked up from the document where absent.
    pub page: Option<(String, String)>,
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// What came of it.
    pub outcome: ChangeOutcome,
    /// Why.
    pub reason: Option<String>,
    /// What proves it.
    pub evidence: Option<Evidence>,
    /// What it would cost, if it is only planned.
    pub cost: Option<Cost>,
}

impl Line {
    /// A line about a document.
    #[must_use]
    pub fn of(document: DocumentId, kind: ChangeKind, outcome: ChangeOutcome) -> Self {
        Self::of_maybe(Some(document), kind, outcome)
    }

    /// A line about a document that may not be there yet.
    #[must_use]
    pub fn of_maybe(document: Option<DocumentId>, kind: ChangeKind, outcome: ChangeOutcome) -> Self {
        Self { document, page: None, kind, outcome, reason: None, evidence: None, cost: None }
    }
}

/// Adds lines to the list of a sync.
pub async fn add(
    tx: &impl ConnectionTrait,
    sync: SyncId,
    lines: Vec<Line>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in lines.chunks(400) {
        let unnamed = some.iter().filter(|line| line.page.is_none()).filter_map(|line| line.document);
        let names = names(tx, unnamed.collect()).await?;
        let rows = some.iter().map(|line| {
            let known = line.document.and_then(|document| names.get(&document));
            let (page_id, title) = line.page.as_ref().or(known).cloned().unwrap_or_default();
            change::ActiveModel {
                id: Set(ChangeId::new()),
                sync_id: Set(sync),
                document_id: Set(line.document),
                page_id: Set(page_id),
                title: Set(title),
                kind: Set(line.kind),
                outcome: Set(line.outcome),
                reason: Set(line.reason.clone()),
                evidence: Set(line.evidence.clone()),
                cost: Set(line.cost),
                created_at: Set(now),
            }
        });
        change::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Empties the list of a sync.
pub async fn clear(tx: &impl ConnectionTrait, sync: SyncId) -> Result<(), DbErr> {
    change::Entity::delete_many().filter(change::Column::SyncId.eq(sync)).exec(tx).await?;
    Ok(())
}

async fn names(
    tx: &impl ConnectionTrait,
    documents: Vec<DocumentId>,
) -> Result<HashMap<DocumentId, (String, String)>, DbErr> {
    if documents.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(DocumentId, String, String)> = document::Entity::find()
        .select_only()
        .columns([document::Column::Id, document::Column::ExternalId, document::Column::Title])
        .filter(document::Column::Id.is_in(documents))
        .into_tuple()
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|(id, page_id, title)| (id, (page_id, title))).collect())
}
