//! Makes the attributes of documents due: one moved, or something above it changed.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr,
};

use crate::{
    entity::{
        document::{self, DocumentState, Work},
        node,
    },
    ids::{DocumentId, SourceId},
};

/// Makes the attributes of documents due that have a live file and nothing more urgent to do. Answers how many.
pub(super) async fn want_metadata(tx: &impl ConnectionTrait, which: Condition) -> Result<u64, DbErr> {
    let result = document::Entity::update_many()
        .col_expr(document::Column::Work, Expr::value(Work::Metadata))
        .filter(which)
        .filter(document::Column::Work.eq(Work::None))
        .filter(document::Column::LiveVersion.is_not_null())
        .filter(document::Column::State.ne(DocumentState::Removed))
        .exec(tx)
        .await?;
    Ok(result.rows_affected)
}

/// Makes the attributes of these documents due. Answers for how many.
pub async fn describe_again(tx: &impl ConnectionTrait, documents: &[DocumentId]) -> Result<u64, DbErr> {
    if documents.is_empty() {
        return Ok(0);
    }
    let which = document::Column::Id.is_in(documents.iter().copied());
    want_metadata(tx, Condition::all().add(which)).await
}

/// Makes the attributes of everything below these pages and folders due: their paths changed.
pub async fn want_paths_below(
    tx: &impl ConnectionTrait,
    source: SourceId,
    mut parents: Vec<String>,
) -> Result<u64, DbErr> {
    const DEEPEST: usize = 64;
    let mut changed = 0;
    for _ in 0..DEEPEST {
        let mut below = Vec::new();
        for some in parents.chunks(500) {
            let children = Condition::all()
                .add(document::Column::SourceId.eq(source))
                .add(document::Column::ParentId.is_in(some.iter().map(String::as_str)));
            let pages = document::Entity::find()
                .select_only()
                .column(document::Column::ExternalId)
                .filter(children.clone())
                .into_tuple::<String>()
                .all(tx)
                .await?;
            let nodes = node::Entity::find()
                .select_only()
                .column(node::Column::ExternalId)
                .filter(node::Column::SourceId.eq(source))
                .filter(node::Column::ParentId.is_in(some.iter().map(String::as_str)))
                .into_tuple::<String>()
                .all(tx)
                .await?;
            changed += want_metadata(tx, children).await?;
            below.extend(pages.into_iter().chain(nodes));
        }
        if below.is_empty() {
            break;
        }
        parents = below;
    }
    Ok(changed)
}
