//! Documents that stay out because not everybody may read them, or that wait until it is known who may.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{documents::PAGE, files, holds};
use crate::{
    entity::{
        Evidence,
        document::{self, DocumentState, Work},
    },
    ids::{DocumentId, SourceId},
};

/// Why a document is kept out.
pub const RESTRICTED: &str = "restricted";
/// Why a document waits.
pub const UNKNOWN: &str = "restriction_unknown";

/// A document of a page that not everybody may read.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The document.
    pub id: DocumentId,
    /// Whether it is in the store.
    pub is_live: bool,
    /// Whether something was to be done for it.
    pub is_due: bool,
}

/// Keeps documents out that not everybody may read; what was live of them leaves.
pub async fn keep_out(
    tx: &impl ConnectionTrait,
    source: SourceId,
    documents: &[DocumentId],
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let message = "Reading the page, or something above it, is restricted to some people.";
    for some in documents.chunks(500) {
        let values = document::ActiveModel {
            state: Set(DocumentState::Skipped),
            reason: Set(Some(RESTRICTED.to_owned())),
            message: Set(Some(message.to_owned())),
            live_version: Set(None),
            rendered_version: Set(None),
            work: Set(Work::None),
            evidence: Set(Some(evidence.clone())),
            suspect_since: Set(None),
            failures: Set(0),
            retry_at: Set(None),
            updated_at: Set(now),
            ..Default::default()
        };
        document::Entity::update_many()
            .set(values)
            .filter(document::Column::Id.is_in(some.iter().copied()))
            .filter(document::Column::State.ne(DocumentState::Removed))
            .exec(tx)
            .await?;
    }
    files::retire_documents(tx, documents, RESTRICTED, now).await?;
    holds::release(tx, source, documents).await
}

/// The documents of hidden pages that are not kept out yet.
pub async fn still_in(
    db: &impl ConnectionTrait,
    source: SourceId,
    hidden: &HashSet<String>,
) -> Result<Vec<Found>, DbErr> {
    let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for some in hidden.chunks(500) {
        let rows: Vec<(DocumentId, Option<i64>, Work)> = document::Entity::find()
            .select_only()
            .columns([document::Column::Id, document::Column::LiveVersion, document::Column::Work])
            .filter(document::Column::SourceId.eq(source))
            .filter(document::Column::Kind.eq(PAGE))
            .filter(document::Column::ExternalId.is_in(some.iter().copied()))
            .filter(document::Column::State.ne(DocumentState::Removed))
            .filter(are_out().not())
            .into_tuple()
            .all(db)
            .await?;
        found.extend(rows.into_iter().map(|(id, live, work)| Found {
            id,
            is_live: live.is_some(),
            is_due: work != Work::None,
        }));
    }
    found.sort_unstable_by_key(|found| found.id);
    Ok(found)
}

/// The documents that are kept out although nothing hides them any more, and their pages.
pub async fn no_longer_hidden(
    db: &impl ConnectionTrait,
    source: SourceId,
    hidden: &HashSet<String>,
) -> Result<Vec<(DocumentId, String)>, DbErr> {
    let out: Vec<(DocumentId, String)> = document::Entity::find()
        .select_only()
        .columns([document::Column::Id, document::Column::ExternalId])
        .filter(document::Column::SourceId.eq(source))
        .filter(are_out())
        .into_tuple()
        .all(db)
        .await?;
    Ok(out.into_iter().filter(|(_, page)| !hidden.contains(page)).collect())
}

/// Makes documents due again that were kept out.
pub async fn let_back(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for some in documents.chunks(500) {
        let values = document::ActiveModel {
            state: Set(DocumentState::Pending),
            reason: Set(Some("returned".to_owned())),
            message: Set(None),
            work: Set(Work::Create),
            evidence: Set(None),
            updated_at: Set(now),
            ..Default::default()
        };
        let these = document::Column::Id.is_in(some.iter().copied());
        document::Entity::update_many().set(values).filter(these).exec(tx).await?;
    }
    Ok(())
}

fn are_out() -> Condition {
    Condition::all()
        .add(document::Column::State.eq(DocumentState::Skipped))
        .add(document::Column::Reason.eq(RESTRICTED))
}

/// Documents of which nobody knows who may read them: what is to be done for them waits until then.
pub async fn wait(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
    retry_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let message = "It cannot be read at the moment who may read the page; it waits until that is known.";
    document::Entity::update_many()
        .col_expr(document::Column::Reason, Expr::value(Some(UNKNOWN.to_owned())))
        .col_expr(document::Column::Message, Expr::value(Some(message.to_owned())))
        .col_expr(document::Column::RetryAt, Expr::value(Some(retry_at)))
        .col_expr(document::Column::UpdatedAt, Expr::value(now))
        .col_expr(
            document::Column::State,
            Expr::case(Expr::col(document::Column::LiveVersion).is_null(), DocumentState::Pending)
                .finally(Expr::col(document::Column::State))
                .into(),
        )
        .filter(document::Column::Id.is_in(documents.iter().copied()))
        .filter(document::Column::State.is_not_in([DocumentState::Removed, DocumentState::Suspect]))
        .exec(tx)
        .await?;
    Ok(())
}

/// Documents that need not wait any longer.
pub async fn go_on(tx: &impl ConnectionTrait, documents: &[DocumentId]) -> Result<(), DbErr> {
    document::Entity::update_many()
        .col_expr(document::Column::Reason, Expr::value(Option::<String>::None))
        .col_expr(document::Column::Message, Expr::value(Option::<String>::None))
        .col_expr(document::Column::RetryAt, Expr::value(Option::<DateTime<Utc>>::None))
        .filter(document::Column::Id.is_in(documents.iter().copied()))
        .filter(document::Column::Reason.eq(UNKNOWN))
        .exec(tx)
        .await?;
    Ok(())
}
