//! Writes what a plan makes of documents.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::{PAGE, paths::want_metadata};
use crate::{
    engine::{facts::Fact, plan::Change, store::files},
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
    let mut fresh = Vec::new();
    let mut work = 0;
    for change in changes {
        match change {
            Change::Create { document: None, fact, selection } => {
                fresh.push(row(source, fact, *selection, now));
                work += 1;
            }
            Change::Create { document: Some(document), fact, selection } => {
                update(tx, *document, entering(fact, *selection, "returned", now)).await?;
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

fn row(
    source: &source::Model,
    fact: &Fact,
    selection: SelectionId,
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
        ..entering(fact, selection, "new", now)
    }
}

/// A page that is to be brought in, and why.
fn entering(fact: &Fact, selection: SelectionId, reason: &str, now: DateTime<Utc>) -> document::ActiveModel {
    document::ActiveModel {
        state: Set(DocumentState::Pending),
        reason: Set(Some(reason.to_owned())),
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
