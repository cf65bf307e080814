//! Files that were live, were lost at OpenAI, and are uploaded again from their kept texts; and files that a person keeps
//! though their source goes.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict},
};

use crate::{
    entity::{
        file::{self, FileRole, FileStage},
        file_text, kept_file,
    },
    ids::{FileId, SourceId},
};

/// The next files of a source whose kept texts are to be uploaded.
pub async fn unsent(
    db: &impl ConnectionTrait,
    source: SourceId,
    after: Option<FileId>,
    limit: u64,
) -> Result<Vec<file::Model>, DbErr> {
    let mut select = file::Entity::find()
        .filter(file::Column::SourceId.eq(source))
        .filter(FileRole::Candidate.is())
        .filter(file::Column::Stage.eq(FileStage::Uploading))
        .filter(file::Column::SentAt.is_null());
    if let Some(after) = after {
        select = select.filter(file::Column::Id.gt(after));
    }
    select.order_by_asc(file::Column::Id).limit(limit).all(db).await
}

/// The packed text of a file, if it was kept.
pub async fn text(db: &impl ConnectionTrait, file: FileId) -> Result<Option<Vec<u8>>, DbErr> {
    Ok(file_text::Entity::find_by_id(file).one(db).await?.map(|row| row.text))
}

/// Keeps the packed text of a file that came without one.
pub async fn keep_text(tx: &impl ConnectionTrait, file: FileId, text: Vec<u8>) -> Result<(), DbErr> {
    let row = file_text::ActiveModel { file_id: Set(file), text: Set(text) };
    let keep = OnConflict::column(file_text::Column::FileId).do_nothing().to_owned();
    file_text::Entity::insert(row).on_conflict(keep).exec_without_returning(tx).await?;
    Ok(())
}

/// Notes that a file is being sent: from here on it may exist.
pub async fn sending(tx: &impl ConnectionTrait, file: FileId, now: DateTime<Utc>) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::SentAt, Expr::value(now))
        .filter(file::Column::Id.eq(file))
        .exec(tx)
        .await?;
    Ok(())
}

/// Notes that files were not sent after all: a later run does it.
pub async fn unsend(tx: &impl ConnectionTrait, files: &[FileId]) -> Result<(), DbErr> {
    file::Entity::update_many()
        .col_expr(file::Column::SentAt, Expr::value(Option::<DateTime<Utc>>::None))
        .filter(file::Column::Id.is_in(files.iter().copied()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Remembers the files of a source as kept: nothing will know them any more, and they stay all the same.
pub(super) async fn keep(
    tx: &impl ConnectionTrait,
    source: SourceId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let ids: Vec<Option<String>> = file::Entity::find()
        .select_only()
        .column(file::Column::OpenaiFileId)
        .filter(file::Column::SourceId.eq(source))
        .into_tuple()
        .all(tx)
        .await?;
    let ids: Vec<String> = ids.into_iter().flatten().collect();
    for some in ids.chunks(500) {
        let rows = some
            .iter()
            .map(|id| kept_file::ActiveModel { openai_file_id: Set(id.clone()), kept_at: Set(now) });
        let once = OnConflict::column(kept_file::Column::OpenaiFileId).do_nothing().to_owned();
        kept_file::Entity::insert_many(rows).on_conflict(once).exec_without_returning(tx).await?;
    }
    Ok(())
}
