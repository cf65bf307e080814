//! The tick: one pass over what is due. It takes no input but the database and the clock, and may die anywhere.

use std::pin::pin;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream::FuturesUnordered};
use sea_orm::DbErr;

use super::{
    erase, reconcile, retention, source,
    store::{
        erased,
        syncs::{self, Claim},
    },
};
use crate::{app::App, connections, ids::SourceId, knowledge_bases};

/// Notes the tick, learns who else is alive, and queues the interval syncs that are due. Asks nobody but the database.
pub async fn prepare(app: &App) -> Result<(), DbErr> {
    let now = app.clock.now();
    syncs::ticked(&app.db, app.replica, now).await?;
    let alive_since = now - TimeDelta::from_std(app.settings.timing.tick_stale_after).unwrap_or_default();
    app.replicas.set(syncs::live_replicas(&app.db, alive_since).await?);
    syncs::queue_due(&app.db, now).await?;
    Ok(())
}

/// Does the duties that no sync does: attempts that expire, grants that are to live on, stores that are being made,
/// and what is being deleted.
pub async fn do_duties(app: &App) -> Result<(), DbErr> {
    let now = app.clock.now();
    connections::tend(app, now).await?;
    settle_stores(app, now).await?;
    erase::erase_deleted(app).await
}

/// Forgets what has been kept for long enough.
pub async fn tidy(app: &App) -> Result<(), DbErr> {
    retention::forget_old(app).await
}

/// Compares and rebuilds the stores that are due.
pub async fn reconcile_stores(app: &App) -> Result<(), DbErr> {
    reconcile::reconcile(app).await
}

/// Looks for vector stores whose making was never answered. A failure is logged and met again on the next tick.
async fn settle_stores(app: &App, now: DateTime<Utc>) -> Result<(), DbErr> {
    for knowledge_base in erased::creating_knowledge_bases(app.db.read()).await? {
        if let Err(error) = knowledge_bases::settle_creating(app, &knowledge_base, now).await {
            tracing::warn!(knowledge_base.id = %knowledge_base.id, %error, "a store's making cannot be settled yet");
        }
    }
    Ok(())
}

/// Claims one sync that is due, unless its source is among `skip`.
pub async fn claim(app: &App, skip: &[SourceId]) -> Result<Option<Claim>, DbErr> {
    if app.is_stopping() {
        return Ok(None);
    }
    syncs::claim(&app.db, app.replica, app.settings.timing.lease, skip, app.clock.now()).await
}

/// One whole tick: every source that is due gets one run, and all runs have ended when this returns. Answers how many.
pub async fn tick(app: &App) -> Result<usize, DbErr> {
    prepare(app).await?;
    do_duties(app).await?;
    reconcile_stores(app).await?;
    tidy(app).await?;
    let mut claimed = Vec::new();
    let mut runs = FuturesUnordered::new();
    loop {
        while runs.len() < app.settings.timing.sources_in_flight.max(1) {
            let Some(claim) = beside(&mut runs, claim(app, &claimed)).await? else { break };
            claimed.push(claim.source.id);
            runs.push(source::sync(app, claim));
        }
        if runs.next().await.is_none() {
            return Ok(claimed.len());
        }
    }
}

/// Does `work` while the runs go on: one of them may be in the transaction that `work` has to wait for.
async fn beside<T>(
    runs: &mut FuturesUnordered<impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            Some(()) = runs.next() => {}
        }
    }
}

/// One whole tick at `now`, for a clock that is set by hand.
pub async fn tick_at(app: &App, now: DateTime<Utc>) -> Result<usize, DbErr> {
    app.clock.set(now);
    tick(app).await
}
