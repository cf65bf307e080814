//! The statements about documents that clients read and retry.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, FromQueryResult,
    JoinType, QueryFilter, QueryOrder, QuerySelect, RelationDef,
    sea_query::{Expr, ExprTrait, Func, IntoCondition, LikeExpr},
};

use super::{Lag, Waiting, listed::Asked};
use crate::{
    app::Db,
    entity::{
        document::{ActiveModel, Column, DocumentState, Entity, Model, Work},
        file::{self, FileRole},
        file_text, source, source_space,
    },
    ids::{DocumentId, FileId, SourceId, WorkspaceId},
};

/// A document as it is listed: only what an answer shows.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Row {
    pub id: DocumentId,
    pub external_id: String,
    pub title: String,
    pub url: String,
    pub space_id: String,
    pub parent_id: Option<String>,
    pub state: DocumentState,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub wanted_version: i64,
    pub live_version: Option<i64>,
    pub openai_file_id: Option<String>,
    pub edited_at: DateTime<Utc>,
    pub detected_at: DateTime<Utc>,
    pub searchable_at: Option<DateTime<Utc>>,
    pub suspect_since: Option<DateTime<Utc>>,
    pub retry_at: Option<DateTime<Utc>>,
    pub removed_at: Option<DateTime<Utc>>,
}

impl Row {
    /// What is listed of a whole row.
    #[must_use]
    pub fn of(row: Model, openai_file_id: Option<String>) -> Self {
        Self {
            id: row.id,
            external_id: row.external_id,
            title: row.title,
            url: row.url,
            space_id: row.space_id,
            parent_id: row.parent_id,
            state: row.state,
            reason: row.reason,
            message: row.message,
            wanted_version: row.wanted_version,
            live_version: row.live_version,
            openai_file_id,
            edited_at: row.edited_at,
            detected_at: row.detected_at,
            searchable_at: row.searchable_at,
            suspect_since: row.suspect_since,
            retry_at: row.retry_at,
            removed_at: row.removed_at,
        }
    }
}

fn live_file() -> RelationDef {
    let join: RelationDef =
        file::Entity::belongs_to(Entity).from(file::Column::DocumentId).to(Column::Id).into();
    join.rev().on_condition(|_, _| FileRole::Live.is().into_condition())
}

/// The documents of a source, oldest first.
pub async fn list(db: &impl ConnectionTrait, asked: &Asked) -> Result<Vec<Row>, DbErr> {
    let filter = Condition::all()
        .add(Column::SourceId.eq(asked.source))
        .add_option(asked.state.map(|state| Column::State.eq(state)))
        .add_option(asked.title.as_deref().map(has_title))
        .add_option(asked.after.map(|after| Column::Id.gt(after)));
    Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::ExternalId,
            Column::Title,
            Column::Url,
            Column::SpaceId,
            Column::ParentId,
            Column::State,
            Column::Reason,
            Column::Message,
            Column::WantedVersion,
            Column::LiveVersion,
            Column::EditedAt,
            Column::DetectedAt,
            Column::SearchableAt,
            Column::SuspectSince,
            Column::RetryAt,
            Column::RemovedAt,
        ])
        .column(file::Column::OpenaiFileId)
        .join(JoinType::LeftJoin, live_file())
        .filter(filter)
        .order_by_asc(Column::Id)
        .limit(asked.rows)
        .into_model()
        .all(db)
        .await
}

/// SQLite knows the cases of ASCII letters only: of other letters, the forms they usually have are asked for, too.
fn has_title(part: &str) -> Condition {
    let lower = part.to_lowercase();
    let mut letters = lower.chars();
    let capital = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
    let forms = HashSet::from([part.to_owned(), part.to_uppercase(), capital.unwrap_or_default(), lower]);
    let has = |form: String| {
        let pattern = format!("%{}%", escaped(&form.to_ascii_lowercase()));
        Expr::expr(Func::lower(Expr::col((Entity, Column::Title)))).like(LikeExpr::new(pattern).escape('\\'))
    };
    forms.into_iter().fold(Condition::any(), |any, form| any.add(has(form)))
}

fn escaped(part: &str) -> String {
    part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// One document of a workspace.
pub async fn find(
    db: &impl ConnectionTrait,
    workspace_id: WorkspaceId,
    id: DocumentId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::WorkspaceId.eq(workspace_id)).one(db).await
}

/// The live file of a document.
pub async fn live_file_of(db: &impl ConnectionTrait, id: DocumentId) -> Result<Option<file::Model>, DbErr> {
    let live = file::Column::DocumentId.eq(id).and(FileRole::Live.is());
    file::Entity::find().filter(live).one(db).await
}

/// The packed text of a file.
pub async fn text_of(db: &impl ConnectionTrait, id: FileId) -> Result<Option<Vec<u8>>, DbErr> {
    Ok(file_text::Entity::find_by_id(id).one(db).await?.map(|row| row.text))
}

/// The key of a space that a source watches.
pub async fn space_key(
    db: &impl ConnectionTrait,
    source_id: SourceId,
    space_id: &str,
) -> Result<Option<String>, DbErr> {
    let space = source_space::Entity::find_by_id((source_id, space_id.to_owned())).one(db).await?;
    Ok(space.map(|space| space.key))
}

/// Forgets why a document failed or was refused, so that the next run renders it anew. False if it has changed
/// meanwhile.
pub async fn retry(db: &Db, seen: &Model, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let transaction = db.begin().await?;
    let has_text = seen.live_version.is_some();
    // The source's row first: a run that is at work on the document finishes before us or sees what we did.
    source::documents_change()
        .set(source::ActiveModel { updated_at: Set(now), ..Default::default() })
        .filter(source::Column::Id.eq(seen.source_id))
        .exec(&transaction)
        .await?;
    let fresh = ActiveModel {
        state: Set(if has_text { DocumentState::Live } else { DocumentState::Pending }),
        work: Set(if has_text { Work::Revise } else { Work::Create }),
        reason: Set(None),
        message: Set(None),
        rendered_version: Set(None),
        failures: Set(0),
        retry_at: Set(None),
        refused_sha256: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    let done = Entity::update_many()
        .set(fresh)
        .filter(Column::Id.eq(seen.id))
        .filter(Column::State.eq(seen.state))
        .filter(Column::UpdatedAt.eq(seen.updated_at))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(done.rows_affected == 1)
}

/// How soon the edits of each of these sources showed that became searchable since then; pages that were there before they
/// were watched, and those of which a newer version waits, are left out.
pub async fn lags(
    db: &DatabaseConnection,
    sources: &[SourceId],
    since: DateTime<Utc>,
) -> Result<HashMap<SourceId, Vec<Lag>>, DbErr> {
    type Times = (SourceId, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);
    let rows = Entity::find()
        .select_only()
        .columns([Column::SourceId, Column::EditedAt, Column::DetectedAt, Column::SearchableAt])
        .filter(Column::SourceId.is_in(sources.iter().copied()))
        // As the partial index says it.
        .filter(Expr::col(Column::Timed))
        .filter(Column::SearchableAt.gt(since))
        .filter(Column::Work.is_not_in([Work::Create, Work::Revise]));
    let mut rows = rows.into_tuple::<Times>().stream(db).await?;
    let mut lags: HashMap<SourceId, Vec<Lag>> = HashMap::new();
    while let Some((source, edited_at, detected_at, searchable_at)) = rows.try_next().await? {
        // A version seen later that changed no text was searchable before it was made.
        if searchable_at >= detected_at {
            lags.entry(source).or_default().push(Lag::between(edited_at, detected_at, searchable_at));
        }
    }
    Ok(lags)
}

/// What waits in each of these sources. Pages that Confluence no longer shows wait for a sign of life, and do not count.
pub async fn waiting(
    db: &impl ConnectionTrait,
    sources: &[SourceId],
) -> Result<HashMap<SourceId, Waiting>, DbErr> {
    let rows: Vec<(SourceId, i64, Option<DateTime<Utc>>)> = Entity::find()
        .select_only()
        .column(Column::SourceId)
        .column_as(Column::Id.count(), "pages")
        .column_as(Column::DetectedAt.min(), "oldest_detected_at")
        .filter(Column::SourceId.is_in(sources.iter().copied()))
        .filter(Condition::any().add(Work::Create.is()).add(Work::Revise.is()))
        .filter(Column::State.is_not_in([DocumentState::Removed, DocumentState::Suspect]))
        .group_by(Column::SourceId)
        .into_tuple()
        .all(db)
        .await?;
    let waiting =
        |pages: i64, oldest_detected_at| Waiting { pages: pages.unsigned_abs(), oldest_detected_at };
    Ok(rows.into_iter().map(|(source, pages, oldest)| (source, waiting(pages, oldest))).collect())
}
