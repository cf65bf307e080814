//! Syncs: one piece of work on a source each, durable from trigger to finish.

pub mod routes;
pub mod store;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    app::App,
    entity::sync::{Model, SyncStatus},
    http::Problem,
    ids::{SyncId, WorkspaceId},
};

/// One sync of a workspace, or a 404.
pub async fn found(app: &App, workspace_id: WorkspaceId, id: SyncId) -> Result<Model, Problem> {
    let row = store::find(app.db.read(), workspace_id, id).await?;
    row.ok_or_else(|| Problem::not_found("sync"))
}

/// When a running sync will be finished if it goes on as it did so far.
#[must_use]
pub fn eta(sync: &Model, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let (started_at, total) = (sync.started_at?, sync.total?);
    let elapsed = now.signed_duration_since(started_at).num_milliseconds();
    let moves = sync.status == SyncStatus::Running && sync.done > 0 && elapsed > 0;
    let left = elapsed.checked_mul((total - sync.done).max(0))?.checked_div(sync.done).filter(|_| moves)?;
    now.checked_add_signed(TimeDelta::milliseconds(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        entity::sync::{SyncMode, SyncTrigger},
        ids::SourceId,
    };

    #[test]
    fn the_rest_takes_as_long_as_what_is_done_did() {
        let start = DateTime::UNIX_EPOCH;
        let (mode, trigger) = (SyncMode::Delta, SyncTrigger::Manual);
        let mut sync = Model {
            status: SyncStatus::Running,
            done: 25,
            total: Some(100),
            started_at: Some(start),
            ..store::queued(WorkspaceId::new(), SourceId::new(), mode, trigger, start)
        };
        let now = start + TimeDelta::seconds(10);
        assert_eq!(eta(&sync, now), Some(now + TimeDelta::seconds(30)));
        sync.done = 0;
        assert_eq!(eta(&sync, now), None);
        sync.done = 120;
        assert_eq!(eta(&sync, now), Some(now), "more came than was known");
        sync.status = SyncStatus::Succeeded;
        assert_eq!(eta(&sync, now), None);
    }
}
