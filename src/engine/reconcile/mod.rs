//! Compares stores with what is known of them, and puts them right; fills a new store where one was lost.
//!
//! * One process works on a store at a time, under a lease of its own. What concerns a source's documents is written
//!   under that source's lease as well, so that no run is surprised.
//! * A list only finds: each finding is looked at by itself before anything is done about it.
//! * It may end anywhere: where it stands is a row, and a later tick goes on from there.
//! * Files of others are counted and left alone.

mod compare;
mod confirm;
mod list;
mod rebuild;
mod repair;
mod store;
mod sweep;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::DbErr;
use tokio::time::Instant;
use tracing::Instrument;

use self::store::Lease;
use super::stop::Stop;
use crate::{
    app::App,
    entity::{
        Problem,
        finding::FindingOutcome,
        knowledge_base::{self, KnowledgeBaseStatus},
        reconcile::{Model, ReconcileKind, ReconcileStatus, ReconcileStep},
    },
    knowledge_bases,
    openai::{Client, Pace, StoreStatus},
};

/// The pause after a vendor's trouble.
const PAUSE: TimeDelta = TimeDelta::seconds(15);
/// For so long a reconcile waits for files that are on their way back; the syncs go on with them all the same.
const PATIENCE: TimeDelta = TimeDelta::hours(1);
/// The pause between two looks at files on their way back.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// Works on every store that is due, each for as long as a run may last.
pub async fn reconcile(app: &App) -> Result<(), DbErr> {
    let now = app.clock.now();
    store::queue_due(&app.db, now).await?;
    for row in store::due(app.db.read(), now).await? {
        if app.is_stopping() {
            break;
        }
        let length = app.settings.timing.lease;
        let lease = Lease::take(&app.db, row.knowledge_base_id, app.replica, length, now).await?;
        let Some(lease) = lease else { continue };
        let span = tracing::info_span!("reconcile", reconcile.id = %row.id, knowledge_base.id = %row.knowledge_base_id);
        work(app, &lease, row).instrument(span).await?;
        lease.release(&app.db).await?;
    }
    Ok(())
}

/// What every step has at hand.
struct Work<'a> {
    app: &'a App,
    lease: &'a Lease,
    row: Model,
    knowledge_base: knowledge_base::Model,
    openai: Client,
    /// The store's id.
    vector_store: String,
    pace: Pace,
    /// What our files in the store carry.
    mark: String,
    deadline: Instant,
}

/// Goes on with one. What ends it early is written on its row.
async fn work(app: &App, lease: &Lease, row: Model) -> Result<(), DbErr> {
    let now = app.clock.now();
    let (id, dry_run) = (row.id, row.dry_run);
    let stop = match Work::begin(app, lease, row).await {
        Ok(mut work) => work.walk().await.err(),
        Err(stop) => Some(stop),
    };
    let Some(stop) = stop else { return Ok(()) };
    let mut row = store::read(app.db.read(), id).await?;
    match stop {
        Stop::LeaseLost => {
            tracing::info!("another process has the store now");
            return Ok(());
        }
        Stop::Db(error) => return Err(error),
        Stop::HandOver | Stop::Halted => return Ok(()),
        Stop::Pause { wait, problem } => {
            tracing::warn!(problem = problem.code, "{}", problem.message);
            let wait = wait.and_then(|wait| TimeDelta::from_std(wait).ok()).unwrap_or_default();
            row.not_before = Some(now + wait.max(PAUSE));
            row.problem = Some(problem);
        }
        Stop::Failed { problem, knowledge_base } => {
            tracing::warn!(problem = problem.code, "{}", problem.message);
            if knowledge_base {
                knowledge_bases::store::block(app.db.write(), row.knowledge_base_id, problem.clone(), now)
                    .await?;
            }
            row = store::failed(&row, problem, now);
        }
    }
    match lease.begin(&app.db, now).await {
        Ok(tx) => {
            store::finish(&tx, &row, now).await?;
            tx.commit().await?;
        }
        Err(super::store::Error::LeaseLost) => tracing::info!(dry_run, "another process has the store now"),
        Err(super::store::Error::Db(error)) => return Err(error),
    }
    Ok(())
}

impl<'a> Work<'a> {
    /// The store must be there, and the key must reach it.
    async fn begin(app: &'a App, lease: &'a Lease, row: Model) -> Result<Self, Stop> {
        let knowledge_base = store::knowledge_base(app.db.read(), row.knowledge_base_id).await?;
        let knowledge_base = knowledge_base.ok_or(Stop::Halted)?;
        let rebuilds = row.kind == ReconcileKind::Rebuild;
        let may = match knowledge_base.status {
            KnowledgeBaseStatus::Active => true,
            KnowledgeBaseStatus::Blocked => rebuilds,
            KnowledgeBaseStatus::Creating | KnowledgeBaseStatus::Deleting => false,
        };
        if !may {
            let problem = knowledge_base.problem.clone().unwrap_or_else(not_in_use);
            return Err(Stop::failed(problem));
        }
        let openai = knowledge_bases::client(app, &knowledge_base)
            .map_err(|problem| Stop::Failed { problem, knowledge_base: true })?;
        let vector_store = knowledge_base.vector_store_id.clone().unwrap_or_default();
        let mut row = row;
        if !rebuilds {
            let store = openai.store(&vector_store).await?;
            if store.status == StoreStatus::Expired {
                return Err(Stop::Failed { problem: knowledge_bases::expired(), knowledge_base: true });
            }
            row.total = Some(i64::try_from(store.file_counts.total).unwrap_or(i64::MAX));
        }
        let pace = knowledge_bases::pace(app, &knowledge_base);
        let mark = knowledge_bases::owner_mark(app.installation, knowledge_base.id);
        let deadline = Instant::now() + app.settings.timing.run_deadline;
        Ok(Self { app, lease, row, knowledge_base, openai, vector_store, pace, mark, deadline })
    }

    /// One step after the other, each from where it was left.
    async fn walk(&mut self) -> Result<(), Stop> {
        self.start().await?;
        loop {
            self.row.step = match self.row.step {
                ReconcileStep::Queued if self.row.kind == ReconcileKind::Rebuild => ReconcileStep::Create,
                ReconcileStep::Queued => ReconcileStep::List,
                ReconcileStep::Create => self.create().await?,
                ReconcileStep::Fill => match self.fill().await? {
                    Some(next) => next,
                    None => return self.look_again().await,
                },
                ReconcileStep::List => self.list().await?,
                ReconcileStep::Miss => self.miss().await?,
                ReconcileStep::Sweep => self.sweep().await?,
                ReconcileStep::Confirm => self.confirm().await?,
                ReconcileStep::Repair => match self.repair().await? {
                    Some(next) => next,
                    None => return self.look_again().await,
                },
                ReconcileStep::Done => return self.finish().await,
            };
            self.save().await?;
        }
    }

    async fn start(&mut self) -> Result<(), Stop> {
        let began = self.row.started_at.is_none();
        self.row.started_at = self.row.started_at.or(Some(self.now()));
        self.row.status = ReconcileStatus::Running;
        (self.row.not_before, self.row.problem) = (None, None);
        if began {
            tracing::info!(trigger = ?self.row.trigger, dry_run = self.row.dry_run, "the store is compared");
        }
        self.save().await
    }

    /// Writes where it stands.
    async fn save(&self) -> Result<(), Stop> {
        let tx = self.begin_write().await?;
        store::save(&tx, &self.row).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn begin_write(&self) -> Result<sea_orm::DatabaseTransaction, Stop> {
        Ok(self.lease.begin(&self.app.db, self.now()).await?)
    }

    /// Files are on their way back: a later tick looks whether they have arrived.
    async fn look_again(&mut self) -> Result<(), Stop> {
        self.row.not_before = Some(self.now() + LOOK_AGAIN.min(self.tick_pause()));
        self.save().await
    }

    fn tick_pause(&self) -> TimeDelta {
        TimeDelta::from_std(self.app.settings.timing.tick_pause).unwrap_or(LOOK_AGAIN)
    }

    async fn finish(&mut self) -> Result<(), Stop> {
        use FindingOutcome as F;
        let (now, db) = (self.now(), self.app.db.read());
        let held = store::left(db, self.row.id, &[F::Held]).await?;
        let mut unrepaired = store::left(db, self.row.id, &[F::Repairing, F::Confirmed]).await?;
        if self.row.dry_run {
            unrepaired = 0;
        } else if self.row.kind == ReconcileKind::Rebuild {
            unrepaired = store::left_behind(db, self.knowledge_base.id).await?;
        }
        self.row.status = if held > 0 {
            ReconcileStatus::Held
        } else if unrepaired > 0 {
            ReconcileStatus::Partial
        } else {
            ReconcileStatus::Succeeded
        };
        self.row.finished_at = Some(now);
        let tx = self.begin_write().await?;
        if unrepaired > 0 {
            store::give_up(&tx, &self.row).await?;
        }
        store::finish(&tx, &self.row, now).await?;
        tx.commit().await?;
        tracing::info!(status = ?self.row.status, files = self.row.done, held, "the store has been compared");
        Ok(())
    }

    fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// When it began: what was written to the store later is not compared.
    fn began(&self) -> DateTime<Utc> {
        self.row.started_at.unwrap_or(self.row.created_at)
    }

    /// Ends this time on it if it has lasted long enough.
    fn check_time(&self) -> Result<(), Stop> {
        let is_over = self.app.is_stopping() || Instant::now() >= self.deadline;
        if is_over { Err(Stop::HandOver) } else { Ok(()) }
    }

    /// Whether the lease outlasts a call that writes.
    fn may_write(&self) -> Result<(), Stop> {
        let longest: Duration = self.app.settings.timing.request_timeout;
        if self.lease.outlasts(longest, self.now()) { Ok(()) } else { Err(Stop::LeaseLost) }
    }
}

fn not_in_use() -> Problem {
    Problem::new("knowledge_base_blocked", "The knowledge base is not in use.", "See its problem.")
}
