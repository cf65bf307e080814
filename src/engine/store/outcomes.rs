//! What became of documents, other than a new live file: unchanged text, no text, or a failure.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::files;
use crate::{
    entity::{
        Evidence, EvidenceKind,
        document::{self, DocumentState, Work},
        file,
    },
    ids::DocumentId,
};

/// The first pause after a failure; it doubles with each further one.
const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(5);
/// The longest pause.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(24);

/// Why a page could not be brought into the store.
#[derive(Clone, Debug)]
pub struct Failure {
    /// A stable word.
    pub reason: &'static str,
    /// The same for a person; never text of the page.
    pub message: String,
    /// The version that will fail again however often it is tried; absent if trying again may help.
    pub lasting: Option<i64>,
    /// The text that was refused for good.
    pub refused: Option<Vec<u8>>,
}

impl Failure {
    /// A failure that may pass: it is tried again after a growing pause.
    #[must_use]
    pub fn passing(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), lasting: None, refused: None }
    }

    /// A failure of this version for good: only a newer one, or a person, has it tried again.
    #[must_use]
    pub fn lasting(reason: &'static str, message: impl Into<String>, version: i64) -> Self {
        Self { reason, message: message.into(), lasting: Some(version), refused: None }
    }

    /// A failure of a file's text for good: no version with the same text is sent again.
    #[must_use]
    pub fn of_text(reason: &'static str, message: impl Into<String>, file: &file::Model) -> Self {
        Self { refused: Some(file.sha256.clone()), ..Self::lasting(reason, message, file.version) }
    }
}

/// A newer version with the text that is live: nothing is uploaded. Its attributes still tell the version of the text.
pub async fn touched(
    tx: &impl ConnectionTrait,
    document: DocumentId,
    version: i64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        state: Set(DocumentState::Live),
        reason: Set(None),
        message: Set(None),
        rendered_version: Set(Some(version)),
        // The title or the place may have changed with the version.
        work: Set(Work::Metadata),
        failures: Set(0),
        retry_at: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, document, values).await
}

/// A page without text: it is not uploaded, and what was live of it leaves.
pub async fn empty(
    tx: &impl ConnectionTrait,
    document: DocumentId,
    version: i64,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let call = "GET /pages?id=…&body-format=storage answered no text".to_owned();
    let values = document::ActiveModel {
        state: Set(DocumentState::Skipped),
        reason: Set(Some("empty".to_owned())),
        message: Set(Some("The page has no text.".to_owned())),
        rendered_version: Set(Some(version)),
        live_version: Set(None),
        work: Set(Work::None),
        evidence: Set(Some(Evidence { kind: EvidenceKind::Empty, at: now, call })),
        failures: Set(0),
        retry_at: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, document, values).await?;
    files::retire_documents(tx, &[document], "empty", now).await
}

/// Documents that failed; what was live of them stays.
pub async fn failed(
    tx: &impl ConnectionTrait,
    documents: &[DocumentId],
    failure: &Failure,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for id in documents {
        let Some(document) = document::Entity::find_by_id(*id).one(tx).await? else { continue };
        if document.state == DocumentState::Removed {
            continue;
        }
        let pause =
            (FIRST_PAUSE * 2_i32.pow(document.failures.clamp(0, 10).unsigned_abs())).min(LONGEST_PAUSE);
        let values = document::ActiveModel {
            state: Set(DocumentState::Failed),
            reason: Set(Some(failure.reason.to_owned())),
            message: Set(Some(failure.message.clone())),
            failures: Set(document.failures + 1),
            retry_at: Set(failure.lasting.is_none().then_some(now + pause)),
            rendered_version: failure
                .lasting
                .map_or(sea_orm::ActiveValue::NotSet, |version| Set(Some(version))),
            refused_sha256: failure
                .refused
                .clone()
                .map_or(sea_orm::ActiveValue::NotSet, |sha256| Set(Some(sha256))),
            work: if failure.lasting.is_some() { Set(Work::None) } else { sea_orm::ActiveValue::NotSet },
            updated_at: Set(now),
            ..Default::default()
        };
        update(tx, *id, values).await?;
    }
    Ok(())
}

async fn update(
    tx: &impl ConnectionTrait,
    document: DocumentId,
    values: document::ActiveModel,
) -> Result<(), DbErr> {
    document::Entity::update_many()
        .set(values)
        .filter(document::Column::Id.eq(document))
        .filter(document::Column::State.ne(DocumentState::Removed))
        .exec(tx)
        .await?;
    keep_suspicion(tx, document).await
}

/// A suspect stays one, whatever became of its text.
async fn keep_suspicion(tx: &impl ConnectionTrait, document: DocumentId) -> Result<(), DbErr> {
    document::Entity::update_many()
        .col_expr(document::Column::State, Expr::value(DocumentState::Suspect))
        .filter(document::Column::Id.eq(document))
        .filter(Expr::col(document::Column::SuspectSince).is_not_null())
        .filter(document::Column::State.ne(DocumentState::Removed))
        .exec(tx)
        .await?;
    Ok(())
}

/// A live file that others deleted: the document is rendered and uploaded anew.
pub async fn lost(tx: &impl ConnectionTrait, document: DocumentId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        state: Set(DocumentState::Pending),
        reason: Set(Some("file_lost".to_owned())),
        message: Set(Some("Its file is no longer in the vector store; it is uploaded again.".to_owned())),
        live_version: Set(None),
        work: Set(Work::Create),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, document, values).await
}
