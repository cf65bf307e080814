//! Confluence points: what a source may spend, so that all sources of an app fit into its quota.
//!
//! An OAuth app has one hourly pool for all its tenants; a listing of n pages costs about n points, their bodies as many
//! again. API tokens have no such pool, so their scopes are verified on every tick.
//!
//! * Changes to what is live are never held back. First loads and listings have an allowance in each run.
//! * A scope that an hour's share lists is verified as a whole, as often as the share allows; a larger space piece by
//!   piece, at every tick.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{run::Run, stop::Stop, store};
use crate::{
    confluence::MOST_IDS,
    connections,
    entity::{
        selection::{self, SelectionKind, SelectionMode},
        sync::{self, SyncMode, SyncTrigger},
    },
    ids::SelectionId,
};

/// The part of the hourly points that verification may use; the rest is for feeds, bodies and people.
const SHARE_PERCENT: u32 = 70;
/// Above this part of the hourly points nothing is verified any more, nor loaded for the first time.
const WALL_PERCENT: u64 = 90;
/// A run may always load so much: a few new pages are no first load.
const LEAST_ALLOWANCE: u64 = 51;
/// And so much where the vendor says that most points are used up: an edit is never held back, and a page that somebody
/// just wrote need not wait for the next hour.
pub const SCARCE_ALLOWANCE: u64 = 10;
const SECONDS_AN_HOUR: u32 = 3_600;

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

/// Restrictions that are read again at each tick, however scarce points are.
const FEWEST_RESTRICTIONS: usize = 5;
/// And when a person asks for everything to be verified.
const MOST_RESTRICTIONS_IN_FULL: usize = 10_000;

/// What may be spent in one observation.
#[derive(Debug)]
pub struct Budget {
    /// Absent: points are not counted.
    limit: Option<Limit>,
    /// When a person asked for everything to be seen anew.
    asked_at: Option<DateTime<Utc>>,
    forced: AtomicBool,
}

#[derive(Debug)]
struct Limit {
    /// What listing the scope of each selection costs.
    costs: HashMap<SelectionId, f64>,
    /// Points a second that this source may spend on verification.
    rate: f64,
    /// Points a second that each of its scopes may have: small ones take less, and what they leave is the others'.
    level: f64,
    interval: TimeDelta,
    /// Points that this run may spend on first loads and listings.
    allowance: u64,
    /// Scopes that are not loaded yet: the points go to that first, before anything in them is verified again.
    loading: HashSet<SelectionId>,
    /// What a page costs that is loaded for the first time.
    points_of_a_load: u64,
    /// Whether the app's quota for this hour is nearly used up.
    at_wall: bool,
}

impl Budget {
    /// The budget of a run. If the hour's quota is used up, the run ends here.
    pub async fn of(run: &Run, selections: &[selection::Model]) -> Result<Self, Stop> {
        let is_new = |s: &selection::Model| s.mode == SelectionMode::Exclude && s.verified_at.is_none();
        let forced = selections.iter().any(is_new)
            || run.approved.is_some()
            || (run.other_account().is_some()
                && !store::holds::any(run.app.db.read(), run.source().id).await?);
        let asked_at = asked_at(&run.claim.sync);
        let budget = |limit| Self { limit, asked_at, forced: AtomicBool::new(forced) };
        let Some(app) = metered_app(run) else { return Ok(budget(None)) };
        let db = run.app.db.read();
        let quota = run.app.settings.confluence_points_per_hour;
        let spent = connections::store::points_spent(db, app, run.now(), None).await?;
        if spent >= quota.into() {
            let wait = until_next_hour(run.now()).to_std().ok();
            return Err(Stop::pause(
                "confluence_quota",
                "The hourly quota of Confluence points is used up.",
                wait,
            ));
        }
        let sources = store::syncs::active_sources(db).await?.max(1);
        #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let rate =
            f64::from(quota) * f64::from(SHARE_PERCENT) / 100.0 / f64::from(SECONDS_AN_HOUR) / sources as f64;
        let sizes = store::documents::sizes(db, run.source().id).await?;
        let included = selections.iter().filter(|s| s.mode == SelectionMode::Include);
        let listed = included.filter(|s| s.kind != SelectionKind::Page);
        let costs: HashMap<SelectionId, f64> =
            listed.map(|s| (s.id, cost(s.kind, sizes.get(&s.id).copied().unwrap_or(0)))).collect();
        let interval = TimeDelta::seconds(run.source().interval_seconds.max(1).into());
        Ok(budget(Some(Limit {
            level: level(costs.values().copied().collect(), rate, interval.as_seconds_f64()),
            costs,
            rate,
            interval,
            allowance: run.allowance.unwrap_or(u64::MAX),
            loading: store::documents::loading(db, run.source().id).await?,
            points_of_a_load: run.points_of_a_load(),
            at_wall: spent * 100 >= u64::from(quota) * WALL_PERCENT,
        })))
    }

    /// Whether the scope of a selection may be listed now, as a whole.
    #[must_use]
    pub fn allows(&self, selection: &selection::Model, now: DateTime<Utc>) -> bool {
        let Some(limit) = &self.limit else { return true };
        self.is_urgent(selection) || (!limit.at_wall && limit.is_its_turn(selection, now))
    }

    /// How many points may be spent now on listing a space; none if it is not its turn.
    #[must_use]
    pub fn share(&self, space: &selection::Model, now: DateTime<Utc>) -> Option<u64> {
        let Some(limit) = &self.limit else { return Some(u64::MAX) };
        let share = if limit.at_wall {
            0
        } else if self.is_urgent(space) {
            // The rest is for loading what is found.
            limit.allowance / (1 + limit.points_of_a_load)
        } else if limit.loading.contains(&space.id) {
            0
        } else if limit.fits(space) {
            let goes_on = space.listing.as_ref().is_some_and(|listing| listing.cursor.is_some());
            if goes_on || limit.is_its_turn(space, now) { limit.allowance } else { 0 }
        } else {
            let saved = (now - limit.spent_until(space, now)).as_seconds_f64() * limit.level;
            limit.allowance.min(if saved > 0.0 { whole(saved) } else { 0 })
        };
        (share > 0).then_some(share)
    }

    /// Whether a space, if it is listed now, is listed from its front to its end.
    #[must_use]
    pub fn lists_whole(&self, space: &selection::Model, now: DateTime<Utc>) -> bool {
        let enough = |limit: &Limit| self.share(space, now) >= Some(whole(limit.cost(space)));
        space.listing.is_none() && self.limit.as_ref().is_none_or(enough)
    }

    /// Until when the points of a space are spent once these are.
    #[must_use]
    pub fn spent_until(&self, space: &selection::Model, points: u64, now: DateTime<Utc>) -> DateTime<Utc> {
        let Some(limit) = &self.limit else { return now };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "need not be exact")]
        let takes = (points as f64 * 1000.0 / limit.level) as i64;
        limit.spent_until(space, now) + TimeDelta::milliseconds(takes)
    }

    /// Whether the scope of a selection is to be seen as soon as possible.
    #[must_use]
    pub fn is_urgent(&self, selection: &selection::Model) -> bool {
        self.forced.load(Ordering::SeqCst) || is_older(selection, self.asked_at)
    }

    /// Whether hints are worth their points: where these are counted, and not nearly used up.
    #[must_use]
    pub fn takes_hints(&self) -> bool {
        self.limit.as_ref().is_some_and(|limit| !limit.at_wall)
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

    /// Of how many pages restrictions may be read again in this observation: as many as one request tells of. Where points
    /// are counted, a tenth of what may be spent on verifying.
    pub fn restrictions_to_read(&self, run: &Run) -> usize {
        if run.claim.sync.mode == SyncMode::Full {
            return MOST_RESTRICTIONS_IN_FULL.min(half_of_what_is_left(run));
        }
        let Some(limit) = &self.limit else { return MOST_IDS };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        let affordable = (limit.rate * f64::from(run.source().interval_seconds) / 10.0) as usize;
        if limit.at_wall { 0 } else { affordable.clamp(FEWEST_RESTRICTIONS, MOST_IDS) }
    }

    /// Only those that were read before then: each once, when a person asks for everything to be verified.
    pub fn restrictions_before(&self, run: &Run, began: DateTime<Utc>) -> DateTime<Utc> {
        self.asked_at.filter(|_| run.claim.sync.mode == SyncMode::Full).unwrap_or(began)
    }

    /// Lists everything in this observation, whatever it costs.
    pub fn force(&self) {
        self.forced.store(true, Ordering::SeqCst);
    }
}

impl Limit {
    fn cost(&self, selection: &selection::Model) -> f64 {
        self.costs.get(&selection.id).copied().unwrap_or(0.0)
    }

    /// Whether its share of an hour lists a scope.
    fn fits(&self, selection: &selection::Model) -> bool {
        self.cost(selection) <= self.level * f64::from(SECONDS_AN_HOUR)
    }

    /// Until when the points of a space are spent: those of two intervals may be saved up.
    fn spent_until(&self, space: &selection::Model, now: DateTime<Utc>) -> DateTime<Utc> {
        let spent_until = space.listing.as_ref().map_or(now - self.interval, |listing| listing.spent_until);
        spent_until.max(now - self.interval * 2)
    }

    /// Whether the points for listing a scope as a whole have come together since it was.
    fn is_its_turn(&self, selection: &selection::Model, now: DateTime<Utc>) -> bool {
        let age = |at: DateTime<Utc>| (now - at).as_seconds_f64();
        selection.verified_at.is_none_or(|at| age(at) >= self.cost(selection) / self.level)
    }
}

/// What listing a scope of so many documents costs: a tree is listed, and its pages are read by id.
fn cost(kind: SelectionKind, size: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a cost need not be exact")]
    let once = (size + size / 250 + 1) as f64;
    if kind == SelectionKind::Space { once } else { 2.0 * once }
}

/// Shares `rate` out among scopes: those that can be listed at every interval take no more than that needs.
fn level(mut costs: Vec<f64>, rate: f64, interval: f64) -> f64 {
    costs.sort_by(f64::total_cmp);
    let (mut left, mut count) = (rate, costs.len());
    for cost in costs {
        #[expect(clippy::cast_precision_loss, reason = "there are at most a thousand")]
        let even = left / count as f64;
        if cost / interval >= even {
            return even;
        }
        left -= cost / interval;
        count -= 1;
    }
    rate
}

fn whole(points: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number of points"
    )]
    let whole = points as u64;
    whole.max(1)
}

/// When a person asked for everything to be seen anew, if that is what a sync is for.
fn asked_at(sync: &sync::Model) -> Option<DateTime<Utc>> {
    let anew = sync.mode == SyncMode::Full || sync.trigger == SyncTrigger::Selection;
    sync.started_at.filter(|_| anew)
}

fn is_older(selection: &selection::Model, asked_at: Option<DateTime<Utc>>) -> bool {
    selection.verified_at.is_none_or(|verified| asked_at.is_some_and(|asked| verified < asked))
}

/// Whether a sync is not over before the scope of a selection has been seen to its end.
#[must_use]
pub fn is_owed(sync: &sync::Model, selection: &selection::Model) -> bool {
    is_older(selection, asked_at(sync))
}

/// The points that a run may spend on first loads and listings; `None` where they are not counted. A source has its fair
/// share of each hour, half of it if it is alone, and what the others leave as the hour goes by: whoever comes later in
/// the hour finds some, too.
pub async fn allowance(run: &Run) -> Result<Option<u64>, Stop> {
    let Some(app) = metered_app(run) else { return Ok(None) };
    let (db, now) = (run.app.db.read(), run.now());
    let consumer = run.source().id.to_string();
    let spent = connections::store::points_spent(db, app, now, None).await?;
    let own = connections::store::points_spent(db, app, now, Some(&consumer)).await?;
    let quota = u64::from(run.app.settings.confluence_points_per_hour) * WALL_PERCENT / 100;
    let fair = (quota / store::syncs::active_sources(db).await?.max(2)).saturating_sub(own);
    let hour = TimeDelta::hours(1);
    let interval = TimeDelta::seconds(run.source().interval_seconds.into());
    let elapsed = (hour - until_next_hour(now) + interval).clamp(TimeDelta::zero(), hour);
    let so_far = quota * elapsed.num_seconds().unsigned_abs() / u64::from(SECONDS_AN_HOUR);
    let others = store::syncs::waiting_beside(db, run.sync()).await?;
    let left = so_far.saturating_sub(spent) / (1 + others);
    Ok(Some(fair.max(left).min(quota.saturating_sub(spent)).max(LEAST_ALLOWANCE)))
}

/// Adds the points that a run spent to the ledger of its app.
pub async fn book(run: &Run) -> Result<(), Stop> {
    let Some(app) = metered_app(run) else { return Ok(()) };
    let consumer = run.source().id.to_string();
    let points = run.unbooked_points();
    connections::store::spend_points(run.app.db.write(), app, run.now(), &consumer, points).await?;
    Ok(())
}

/// Half of the points left to a run: the other half is for bodies.
pub fn half_of_what_is_left(run: &Run) -> usize {
    usize::try_from(run.points_left() / 2).unwrap_or(usize::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_scopes_take_what_they_need_and_large_ones_share_the_rest() {
        let level = |costs: &[f64]| level(costs.to_vec(), 10.0, 300.0);
        assert!((level(&[30_000.0]) - 10.0).abs() < 1e-9, "one alone has everything");
        assert!((level(&[30_000.0, 60_000.0]) - 5.0).abs() < 1e-9, "two large ones have a half each");
        assert!((level(&[300.0, 60_000.0]) - 9.0).abs() < 1e-9, "a small one is listed at every interval");
        assert!((level(&[300.0, 600.0]) - 10.0).abs() < 1e-9, "all are");
    }
}
