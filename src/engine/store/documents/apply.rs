//! Writes what a plan makes of documents.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::{PAGE, paths::want_metadata};
use crate::{
    engine::{
        facts::Fact,
        plan::Change,
        store::{files, observed},
    },
    entity::{
        Evidence,
        document::{self, DocumentState, Work},
        source,
    },
    ids::{DocumentId, SelectionId},
};

/// Writes what a plan makes of documents, removals excepted. Answers for how many of them there is something to do.
pub async fn apply(
    tx: &impl ConnectionTrait,
    source: &source::Model,
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let watched = watched_since(tx, source, changes).await?;
    let mut fresh = Vec::new();
    let mut work = 0;
    for change in changes {
        match change {
            Change::Create { document, fact, selection } => {
                let timed = watched.get(selection).is_some_and(|since| fact.edited_at > *since);
                let values = document::ActiveModel { timed: Set(timed), ..entering(fact, *selection, now) };
                match document {
                    None => fresh.push(row(source, fact, values, now)),
                    Some(document) => {
                        let reason = Set(Some("returned".to_owned()));
                        update(tx, *document, document::ActiveModel { reason, ..values }).await?;
                    }
                }
                work += 1;
            }
            Change::Revise { document, fact, selection, .. } => {
                revise(tx, *document, fact, *selection, now).await?;
                work += 1;
            }
            Change::Metadata { document, fact, selection } => {
                work += relocate(tx, *document, fact, *selection, now).await?;
            }
            Change::Assign { document, selection } | Change::Release { document, selection } => {
                release(tx, *document, *selection, now).await?;
            }
            Change::Suspect { document, evidence } => suspect(tx, *document, evidence, now).await?,
            Change::Remove { .. } => {}
        }
    }
    if !fresh.is_empty() {
        document::Entity::insert_many(fresh).exec_without_returning(tx).await?;
    }
    Ok(work)
}

/// Since when the selections that bring pages in are watched: what was edited before was there at the first load, or
/// came from elsewhere.
async fn watched_since(
    tx: &impl ConnectionTrait,
    source: &source::Model,
    changes: &[Change],
) -> Result<HashMap<SelectionId, DateTime<Utc>>, DbErr> {
    if !changes.iter().any(|change| matches!(change, Change::Create { .. })) {
        return Ok(HashMap::new());
    }
    let selections = observed::selections(tx, source.id).await?;
    Ok(selections.into_iter().filter_map(|selection| Some((selection.id, selection.verified_at?))).collect())
}

fn row(
    source: &source::Model,
    fact: &Fact,
    values: document::ActiveModel,
    now: DateTime<Utc>,
) -> document::ActiveModel {
    document::ActiveModel {
        id: Set(DocumentId::new()),
        workspace_id: Set(source.workspace_id),
        source_id: Set(source.id),
        kind: Set(PAGE.to_owned()),
        external_id: Set(fact.page_id.clone()),
        refused_sha256: Set(None),
        created_at: Set(now),
        ..values
    }
}

/// A page that is to be brought in.
fn entering(fact: &Fact, selection: SelectionId, now: DateTime<Utc>) -> document::ActiveModel {
    document::ActiveModel {
        state: Set(DocumentState::Pending),
        reason: Set(Some("new".to_owned())),
        message: Set(None),
        work: Set(Work::Create),
        wanted_version: Set(fact.version),
        rendered_version: Set(None),
        live_version: Set(None),
        edited_at: Set(fact.edited_at),
        detected_at: Set(now),
        searchable_at: Set(None),
        failures: Set(0),
        retry_at: Set(None),
        removed_at: Set(None),
        ..place(fact, selection, now)
    }
}

/// What a fact says of a page's place.
fn place(fact: &Fact, selection: SelectionId, now: DateTime<Utc>) -> document::ActiveModel {
    document::ActiveModel {
        selection_id: Set(Some(selection)),
        title: Set(fact.title.clone()),
        url: Set(fact.url.clone()),
        space_id: Set(fact.space_id.clone()),
        parent_id: Set(fact.parent_id.clone()),
        parent_kind: Set(fact.parent_kind.clone()),
        verified_at: Set(Some(now)),
        suspect_since: Set(None),
        evidence: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
}

async fn update(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    values: document::ActiveModel,
) -> Result<(), DbErr> {
    document::Entity::update_many().set(values).filter(document::Column::Id.eq(id)).exec(tx).await?;
    Ok(())
}

/// A newer version: whoever failed before is tried again at once.
async fn revise(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    fact: &Fact,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        wanted_version: Set(fact.version),
        edited_at: Set(fact.edited_at),
        detected_at: Set(now),
        failures: Set(0),
        retry_at: Set(None),
        ..place(fact, selection, now)
    };
    update(tx, id, values).await?;
    back_to_live(tx, id).await?;
    document::Entity::update_many()
        .col_expr(
            document::Column::Work,
            Expr::case(Expr::col(document::Column::LiveVersion).is_null(), Work::Create)
                .finally(Work::Revise)
                .into(),
        )
        // What waits in a first load goes on waiting in it.
        .col_expr(
            document::Column::Timed,
            Expr::case(
                Expr::col(document::Column::LiveVersion).is_null(),
                Expr::col(document::Column::Timed),
            )
            .finally(true)
            .into(),
        )
        .filter(document::Column::Id.eq(id))
        .exec(tx)
        .await?;
    Ok(())
}

async fn relocate(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    fact: &Fact,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let rendered_anew = render_anew_in(tx, id, &fact.space_id, now).await?;
    update(tx, id, place(fact, selection, now)).await?;
    back_to_live(tx, id).await?;
    let described = want_metadata(tx, Condition::all().add(document::Column::Id.eq(id))).await?;
    Ok(rendered_anew + described)
}

/// Links within a space are written with its key: in another space, the same version may read otherwise. Answers whether
/// a live document is to be rendered for that.
async fn render_anew_in(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    space_id: &str,
    now: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let moved = Condition::all().add(document::Column::Id.eq(id)).add(document::Column::SpaceId.ne(space_id));
    if document::Entity::find().filter(moved).one(tx).await?.is_none() {
        return Ok(0);
    }
    files::retire_candidate(tx, id, "moved", now).await?;
    let revised = document::Entity::update_many()
        .col_expr(document::Column::Work, Expr::value(Work::Revise))
        .filter(document::Column::Id.eq(id))
        .filter(document::Column::LiveVersion.is_not_null())
        .exec(tx)
        .await?;
    Ok(revised.rows_affected)
}

async fn release(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    selection: SelectionId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        selection_id: Set(Some(selection)),
        verified_at: Set(Some(now)),
        suspect_since: Set(None),
        evidence: Set(None),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, id, values).await?;
    back_to_live(tx, id).await
}

/// A suspect page that was seen again is what it was: live, or still to be brought in.
async fn back_to_live(tx: &impl ConnectionTrait, id: DocumentId) -> Result<(), DbErr> {
    let never_live = || Expr::col(document::Column::LiveVersion).is_null();
    document::Entity::update_many()
        .col_expr(
            document::Column::State,
            Expr::case(never_live(), DocumentState::Pending).finally(DocumentState::Live).into(),
        )
        .col_expr(
            document::Column::Work,
            Expr::case(never_live(), Work::Create).finally(Expr::col(document::Column::Work)).into(),
        )
        .col_expr(document::Column::Reason, Expr::value(Option::<String>::None))
        .col_expr(document::Column::Message, Expr::value(Option::<String>::None))
        .filter(document::Column::Id.eq(id))
        .filter(document::Column::State.eq(DocumentState::Suspect))
        .exec(tx)
        .await?;
    Ok(())
}

/// An absent page: it stays in the store; one that never came in is only marked.
async fn suspect(
    tx: &impl ConnectionTrait,
    id: DocumentId,
    evidence: &Evidence,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let values = document::ActiveModel {
        state: Set(DocumentState::Suspect),
        reason: Set(Some("absent".to_owned())),
        message: Set(Some(
            "Confluence no longer shows this page; it is removed if it stays away.".to_owned(),
        )),
        suspect_since: Set(Some(now)),
        evidence: Set(Some(evidence.clone())),
        verified_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    update(tx, id, values).await
}
