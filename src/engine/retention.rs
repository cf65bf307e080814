//! Forgets what is kept for a while only: finished syncs with their lists, and documents that left the store. In small
//! portions, so that a run has never to wait for long.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DbErr;

use super::store::old;
use crate::app::App;

/// Portions in one go; the rest waits for the next.
const MOST_PORTIONS: usize = 20;

/// Forgets what is older than the settings say.
pub async fn forget_old(app: &App) -> Result<(), DbErr> {
    let now = app.clock.now();
    let syncs = before(now, app.settings.keep_syncs_days);
    let documents = before(now, app.settings.keep_removed_documents_days);
    for _ in 0..MOST_PORTIONS {
        let some_syncs = old::forget_syncs(&app.db, syncs).await?;
        let some_documents = old::forget_documents(&app.db, documents, now).await?;
        if !some_syncs && !some_documents {
            break;
        }
    }
    Ok(())
}

fn before(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    now - TimeDelta::days(days.into())
}
