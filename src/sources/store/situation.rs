//! What a client sees of sources beyond their rows.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::{
    documents::StateCounts,
    entity::{
        document::{self, DocumentState},
        hold,
        selection::{self, SelectionMode},
        sync::SyncStatus,
    },
    ids::{SourceId, SyncId},
    syncs,
};

/// What a client sees of a source beyond its row.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    pub documents: StateCounts,
    /// The sync that runs or, if none does, the one that is queued.
    pub current_sync_id: Option<SyncId>,
    pub held: Option<Held>,
    /// When the selection that was verified longest ago was; absent while one never was.
    pub verified_at: Option<DateTime<Utc>>,
}

/// Removals that wait for a person.
#[derive(Clone, Debug)]
pub struct Held {
    pub hold: hold::Model,
    pub removals: u64,
}

/// The situation of each of these sources, in four statements however many they are.
pub async fn situations(
    db: &impl ConnectionTrait,
    ids: &[SourceId],
) -> Result<HashMap<SourceId, Situation>, DbErr> {
    let mut all: HashMap<SourceId, Situation> = ids.iter().map(|id| (*id, Situation::default())).collect();
    for (id, state, count) in document::Entity::find()
        .select_only()
        .columns([document::Column::SourceId, document::Column::State])
        .column_as(document::Column::Id.count(), "count")
        .filter(document::Column::SourceId.is_in(ids.iter().copied()))
        .group_by(document::Column::SourceId)
        .group_by(document::Column::State)
        .into_tuple::<(SourceId, DocumentState, i64)>()
        .all(db)
        .await?
    {
        all.entry(id).or_default().documents.add(state, count);
    }
    for open in syncs::store::open(db, ids).await? {
        let current = &mut all.entry(open.source_id).or_default().current_sync_id;
        if current.is_none() || open.status == SyncStatus::Running {
            *current = Some(open.id);
        }
    }
    for hold in syncs::store::holds(db, ids).await? {
        let source_id = hold.hold.source_id;
        all.entry(source_id).or_default().held = Some(hold);
    }
    for (id, verified_at) in oldest_verifications(db, ids).await? {
        all.entry(id).or_default().verified_at = verified_at;
    }
    Ok(all)
}

/// When the selection of each of these sources that was verified longest ago was; `None` while one never was.
pub async fn oldest_verifications(
    db: &impl ConnectionTrait,
    ids: &[SourceId],
) -> Result<HashMap<SourceId, Option<DateTime<Utc>>>, DbErr> {
    let rows = selection::Entity::find()
        .select_only()
        .columns([selection::Column::SourceId, selection::Column::VerifiedAt])
        .filter(selection::Column::SourceId.is_in(ids.iter().copied()))
        .filter(selection::Column::Mode.eq(SelectionMode::Include))
        .into_tuple::<(SourceId, Option<DateTime<Utc>>)>()
        .all(db)
        .await?;
    let mut oldest: HashMap<SourceId, Option<DateTime<Utc>>> = HashMap::new();
    for (id, verified_at) in rows {
        // `None` sorts first: a selection that was never verified is the oldest.
        oldest.entry(id).and_modify(|so_far| *so_far = (*so_far).min(verified_at)).or_insert(verified_at);
    }
    Ok(oldest)
}
