//! Confluence points: what a source may spend on verifying its scopes, so that all sources of an app fit into its quota.
//!
//! An OAuth app has one hourly pool for all its tenants; a listing of n pages costs about n points. API tokens have no
//! such pool, so their scopes are verified on every tick.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{run::Run, stop::Stop, store};
use crate::{
    connections,
    entity::{
        selection,
        sync::{SyncMode, SyncTrigger},
    },
    ids::SelectionId,
};

/// The part of the hourly points that verification may use; the rest is for feeds, bodies and people.
const SHARE_PERCENT: i64 = 70;
/// Above this part of the hourly points nothing is verified any more.
const WALL_PERCENT: i64 = 90;

/// Nodes above documents that are read again at each tick, however few there are.
const FEWEST_NODES: usize = 3;
/// And however many.
const MOST_NODES: usize = 50;
/// And when a person asks for everything to be verified.
const MOST_NODES_IN_FULL: usize = 1_000;
/// Within so many seconds each has its turn.
const NODES_TURN_SECONDS: usize = 12 * 60 * 60;
/// What reading one costs.
const POINTS_OF_A_NODE: f64 = 2.0;

/// What may be spent in one observation.
#[derive(Debug)]
pub struct Budget {
    /// Absent: points are not counted.
    limit: Option<Limit>,
    forced: AtomicBool,
}

#[derive(Debug)]
struct Limit {
    /// The documents of each selection: about what listing it costs.
    sizes: HashMap<SelectionId, i64>,
    /// Points a second that this source may spend on verification.
    rate: f64,
    /// Whether the app's quota for this hour is nearly used up.
    at_wall: bool,
}

impl Budget {
    /// The budget of a run. If the hour's quota is used up, the run ends here.
    pub async fn of(run: &Run, selections: &[selection::Model]) -> Result<Self, Stop> {
        let sync = &run.claim.sync;
        let forced = sync.mode == SyncMode::Full
            || sync.trigger == SyncTrigger::Selection
            || sync.applies.is_some()
            || selections.iter().any(|selection| selection.verified_at.is_none())
            || (run.other_account().is_some()
                && !store::holds::any(run.app.db.read(), run.source().id).await?);
        let forced = AtomicBool::new(forced);
        let Some(app) = metered_app(run) else { return Ok(Self { limit: None, forced }) };
        let db = run.app.db.read();
        let quota = i64::from(run.app.settings.confluence_points_per_hour);
        let spent = connections::store::points_spent(db, app, run.now(), None).await?.cast_signed();
        if spent >= quota {
            let wait = until_next_hour(run.now()).to_std().ok();
            return Err(Stop::pause(
                "confluence_quota",
                "The hourly quota of Confluence points is used up.",
                wait,
            ));
        }
        let sources = store::syncs::active_sources(db).await?.max(1);
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let rate = (quota * SHARE_PERCENT / 100) as f64 / 3600.0 / sources as f64;
        let limit = Limit {
            sizes: store::documents::sizes(db, run.source().id).await?,
            rate,
            at_wall: spent * 100 >= quota * WALL_PERCENT,
        };
        Ok(Self { limit: Some(limit), forced })
    }

    /// Whether the scope of a selection may be listed now.
    #[must_use]
    pub fn allows(&self, selection: &selection::Model, now: DateTime<Utc>) -> bool {
        let (Some(limit), Some(verified_at)) = (&self.limit, selection.verified_at) else { return true };
        if self.forced.load(Ordering::SeqCst) {
            return true;
        }
        let size = limit.sizes.get(&selection.id).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let seconds = (size + size / 250 + 1) as f64 / limit.rate;
        let age = (now - verified_at).as_seconds_f64();
        !limit.at_wall && age >= seconds
    }

    /// How many of a source's nodes above documents may be read again in this observation: a few always, and so many
    /// that each has its turn within twelve hours. Where points are counted, a tenth of what may be spent on verifying.
    pub fn nodes_to_read(&self, run: &Run, nodes: usize) -> usize {
        if run.claim.sync.mode == SyncMode::Full {
            return nodes.min(MOST_NODES_IN_FULL);
        }
        let interval = run.source().interval_seconds.max(1);
        let turns = NODES_TURN_SECONDS.div_ceil(interval.unsigned_abs() as usize);
        let share = nodes.div_ceil(turns).clamp(FEWEST_NODES, MOST_NODES);
        let Some(limit) = &self.limit else { return share };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let affordable = (limit.rate * f64::from(interval) / 10.0 / POINTS_OF_A_NODE) as usize;
        if limit.at_wall { 0 } else { share.min(affordable.max(1)) }
    }

    /// Lists everything in this observation, whatever it costs.
    pub fn force(&self) {
        self.forced.store(true, Ordering::SeqCst);
    }
}

/// Adds the points that a run spent to the ledger of its app.
pub async fn book(run: &Run) -> Result<(), Stop> {
    let Some(app) = metered_app(run) else { return Ok(()) };
    let consumer = run.source().id.to_string();
    let points = run.unbooked_points();
    connections::store::spend_points(run.app.db.write(), app, run.now(), &consumer, points).await?;
    Ok(())
}

/// The app whose quota the run's calls count against.
fn metered_app(run: &Run) -> Option<&str> {
    let app = run.app.settings.atlassian.app.as_ref().filter(|_| run.access.is_metered())?;
    Some(&app.client_id)
}

/// The vendor's quota begins anew at the top of each hour.
fn until_next_hour(now: DateTime<Utc>) -> TimeDelta {
    let hour = TimeDelta::hours(1);
    now.duration_trunc(hour).map_or(hour, |top| top + hour - now)
}
