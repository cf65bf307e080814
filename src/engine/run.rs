//! What every step of a run has at hand: the source, the two vendors, the lease and the account of what was done.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use tokio::{sync::Notify, time::Instant};

use super::{
    approved::Approved,
    attach::Batches,
    budget::SCARCE_ALLOWANCE,
    cost::Effort,
    restrictions::Reader,
    stop::Stop,
    store::{self, syncs::Claim, syncs::Progress},
};
use crate::{
    app::App,
    confluence,
    connections::access::Access,
    entity::{
        Counts, RestrictedPages, knowledge_base,
        source::{self, SourceStatus},
        sync::{SyncMode, SyncStep},
    },
    ids::{DocumentId, SyncId},
    knowledge_bases,
    openai::{self, Pace},
};

/// One lease-holder's time on a sync.
pub struct Run {
    /// The application.
    pub app: App,
    /// The sync, its source and the proof that this process may work on it.
    pub claim: Claim,
    /// Where the pages go.
    pub knowledge_base: knowledge_base::Model,
    /// The vector store's id.
    pub store: String,
    /// OpenAI, with the knowledge base's key.
    pub openai: openai::Client,
    /// How fast this credential may be used.
    pub pace: Pace,
    /// Confluence, as the source's connection sees it.
    pub access: Access,
    /// The only changes that may be made, if the sync applies a plan.
    pub approved: Option<Approved>,
    /// The Confluence points that first loads may take in this run, and listings again; absent where they are not counted.
    pub allowance: Option<u64>,
    /// What was learned of the server's batches.
    pub batches: Batches,
    /// Tells the pipeline that there may be more to do.
    pub more: Notify,
    /// How restrictions are read: one at a time, for one answer tells of many pages.
    pub restrictions: tokio::sync::Mutex<Reader>,
    progress: Mutex<Progress>,
    effort: Mutex<Effort>,
    tried: Mutex<HashSet<DocumentId>>,
    nodes: Mutex<HashSet<String>>,
    halt: Mutex<Option<Stop>>,
    trouble: Mutex<Option<Stop>>,
    /// Since when all that there is to see has been persisted.
    observed: OnceLock<Instant>,
    booked: AtomicU64,
    taken: AtomicU64,
    deadline: Instant,
}

impl Run {
    /// A run that begins now.
    #[must_use]
    pub fn new(
        app: App,
        claim: Claim,
        knowledge_base: knowledge_base::Model,
        openai: openai::Client,
        access: Access,
        approved: Option<Approved>,
    ) -> Self {
        let sync = &claim.sync;
        let progress =
            Progress { step: SyncStep::Observe, done: sync.done, total: sync.total, counts: sync.counts };
        Self {
            deadline: Instant::now() + app.settings.timing.run_deadline,
            pace: knowledge_bases::pace(&app, &knowledge_base),
            store: knowledge_base.vector_store_id.clone().unwrap_or_default(),
            app,
            claim,
            knowledge_base,
            openai,
            access,
            approved,
            allowance: None,
            batches: Batches::default(),
            more: Notify::new(),
            restrictions: tokio::sync::Mutex::default(),
            progress: Mutex::new(progress),
            effort: Mutex::default(),
            tried: Mutex::default(),
            nodes: Mutex::default(),
            halt: Mutex::default(),
            trouble: Mutex::default(),
            observed: OnceLock::new(),
            booked: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        }
    }

    /// The source as it was when the run began.
    #[must_use]
    pub fn source(&self) -> &source::Model {
        &self.claim.source
    }

    /// The sync's id.
    #[must_use]
    pub fn sync(&self) -> SyncId {
        self.claim.sync.id
    }

    /// The account that sees the site now, if the documents were observed under another: what it does not see proves
    /// less than ever.
    #[must_use]
    pub fn other_account(&self) -> Option<&str> {
        let observed_under = self.source().account_id.as_deref()?;
        let now = self.access.account_id().unwrap_or_default();
        (now != observed_under).then_some(now)
    }

    /// Whether nothing may be changed: the sync only plans.
    #[must_use]
    pub fn only_plans(&self) -> bool {
        self.claim.sync.mode == SyncMode::Plan
    }

    /// Whether all that follows from what is seen is persisted, so that it need not be seen again.
    #[must_use]
    pub fn persists_all(&self) -> bool {
        !self.only_plans() && self.approved.is_none()
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// A transaction under the lease.
    pub async fn begin(&self) -> Result<DatabaseTransaction, Stop> {
        Ok(self.claim.lease.begin(&self.app.db).await?)
    }

    /// Commits a group of results together with how far the sync has come.
    pub async fn commit(&self, tx: DatabaseTransaction) -> Result<(), Stop> {
        store::syncs::record_progress(&tx, self.sync(), self.progress()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// How far the sync has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *lock(&self.progress)
    }

    /// Forgets how far an earlier run of the sync came.
    pub fn forget_progress(&self) {
        let mut progress = lock(&self.progress);
        *progress = Progress { step: progress.step, done: 0, total: None, counts: Counts::default() };
    }

    /// What all that was planned so far takes.
    #[must_use]
    pub fn effort(&self) -> Effort {
        *lock(&self.effort)
    }

    /// Adds what a planned change takes.
    pub fn add_effort(&self, effort: Effort) {
        *lock(&self.effort) += effort;
    }

    /// Counts what came of changes that are done.
    pub fn count(&self, done: usize, count: impl FnOnce(&mut Counts)) {
        let mut progress = lock(&self.progress);
        progress.done += i64::try_from(done).unwrap_or(i64::MAX);
        count(&mut progress.counts);
    }

    /// Adds changes to what is wanted.
    pub fn want(&self, changes: usize) {
        let mut progress = lock(&self.progress);
        progress.total = Some(progress.total.unwrap_or(0) + i64::try_from(changes).unwrap_or(i64::MAX));
    }

    /// Moves on to a step.
    pub fn at(&self, step: SyncStep) {
        lock(&self.progress).step = step;
    }

    /// Remembers that a document was tried in this run, so that it is not tried again before the next.
    pub fn tried(&self, document: DocumentId) {
        lock(&self.tried).insert(document);
    }

    /// Whether a document was tried in this run.
    #[must_use]
    pub fn was_tried(&self, document: DocumentId) -> bool {
        lock(&self.tried).contains(&document)
    }

    /// Whether a node above pages may be asked for: each once a run.
    #[must_use]
    pub fn asks_for_node(&self, id: &str) -> bool {
        lock(&self.nodes).insert(id.to_owned())
    }

    /// Notes that everything there is to see has been persisted: once the backlog is empty, the run is over.
    pub fn close_backlog(&self) {
        self.observed.get_or_init(Instant::now);
        self.more.notify_one();
    }

    /// Whether nothing more will come in.
    #[must_use]
    pub fn backlog_is_closed(&self) -> bool {
        self.observed.get().is_some()
    }

    /// Whether a run that has nothing left but new pages has had its turn, and something else is due: another source that
    /// nobody works on, or another look at its own changes.
    pub async fn gives_way(&self) -> Result<bool, Stop> {
        let had_turn =
            self.observed.get().is_some_and(|since| since.elapsed() >= self.app.settings.timing.turn);
        Ok(had_turn
            && (self.now() >= self.claim.next_sync_at
                || store::syncs::any_waits(self.app.db.read(), self.source().id, self.now()).await?))
    }

    /// Ends the run as soon as what is in flight has been recorded. The first reason counts.
    pub fn halt(&self, stop: Stop) {
        lock(&self.halt).get_or_insert(stop);
        self.more.notify_one();
    }

    /// Whether nothing new may be begun. This is the safe point that a stopping process waits for.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        if lock(&self.halt).is_some() {
            return true;
        }
        if self.is_over() {
            self.halt(Stop::HandOver);
        }
        self.is_over()
    }

    /// Whether the time of the run is up, whatever else halted it: what only cleans up may still go on otherwise.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.app.is_stopping() || Instant::now() >= self.deadline
    }

    /// Why the run was halted, if it was.
    #[must_use]
    pub fn halted(&self) -> Option<Stop> {
        lock(&self.halt).take()
    }

    /// Remembers trouble that did not end the run but left something undone. The first counts.
    pub fn note_trouble(&self, stop: Stop) {
        lock(&self.trouble).get_or_insert(stop);
    }

    /// The trouble that was noted.
    #[must_use]
    pub fn trouble(&self) -> Option<Stop> {
        lock(&self.trouble).take()
    }

    /// Where a person reads a page: by its id, so that it stays true when the page moves or is renamed.
    #[must_use]
    pub fn page_url(&self, page_id: &str) -> String {
        format!(
            "{}/wiki/pages/viewpage.action?pageId={page_id}",
            self.source().site_url.trim_end_matches('/')
        )
    }

    /// Confluence points that were spent and not booked yet.
    #[must_use]
    pub fn unbooked_points(&self) -> u64 {
        let spent = self.access.meter().points();
        spent - self.booked.swap(spent, Ordering::SeqCst).min(spent)
    }

    /// Whether the vendor says that most of the points are used up, by whomever.
    #[must_use]
    pub fn is_near_limit(&self) -> bool {
        self.allowance.is_some() && self.access.meter().signals().near_limit
    }

    /// Counts points of the allowance that were spent, or are about to be.
    pub fn take(&self, points: usize) {
        self.taken.fetch_add(points as u64, Ordering::SeqCst);
    }

    /// What is left of the allowance, which shrinks where the vendor says that points are scarce.
    #[must_use]
    pub fn points_left(&self) -> u64 {
        let taken = self.taken.load(Ordering::SeqCst);
        let most = if self.is_near_limit() { SCARCE_ALLOWANCE } else { u64::MAX };
        self.allowance.map_or(u64::MAX, |allowance| allowance.min(most).saturating_sub(taken))
    }

    /// Whether the source keeps restricted pages out.
    #[must_use]
    pub fn skips_restricted(&self) -> bool {
        self.source().options.restricted_pages == RestrictedPages::Skip
    }

    /// What a page costs that is loaded for the first time: its body, and where that counts who may read it.
    #[must_use]
    pub fn points_of_a_load(&self) -> u64 {
        if self.skips_restricted() { 2 } else { 1 }
    }

    /// How many pages may be loaded for the first time.
    #[must_use]
    pub fn loadable(&self) -> u64 {
        self.points_left() / self.points_of_a_load()
    }

    /// Holds the lease while the run goes on; ends with the reason why it must not.
    pub async fn keep_lease(&self) -> Stop {
        let timing = &self.app.settings.timing;
        loop {
            tokio::time::sleep(timing.heartbeat).await;
            match self.claim.lease.extend(&self.app.db, timing.lease, self.now()).await {
                Ok(SourceStatus::Active) => {}
                Ok(_) => self.halt(Stop::Halted),
                Err(error) => return error.into(),
            }
            match store::syncs::is_cancelled(self.app.db.read(), self.sync()).await {
                Ok(false) => {}
                Ok(true) => self.halt(Stop::Halted),
                Err(error) => return error.into(),
            }
        }
    }

    /// Whether the lease outlasts an external call that writes. If not, the run is over.
    pub fn may_write(&self) -> Result<(), Stop> {
        let outlasts = self.claim.lease.outlasts(self.app.settings.timing.upload_timeout, self.now());
        if outlasts { Ok(()) } else { Err(Stop::LeaseLost) }
    }

    /// Asks Confluence, once more with a fresh token if the old one may explain the answer.
    pub async fn ask<'a, T>(
        &self,
        call: impl Fn(confluence::Client) -> BoxFuture<'a, Result<T, confluence::Error>>,
    ) -> Result<Result<T, confluence::Error>, Stop> {
        use confluence::Error as E;
        let answer = call(self.access.client().await?).await;
        match answer {
            Err(E::Unauthorized { .. } | E::Forbidden { .. } | E::NotFound { .. })
                if self.access.refreshed().await? =>
            {
                Ok(call(self.access.client().await?).await)
            }
            answer => Ok(answer),
        }
    }

    /// How long a page must have been absent before it is removed.
    #[must_use]
    pub fn suspect_age(&self) -> TimeDelta {
        let source = self.source();
        TimeDelta::seconds(i64::from(source.interval_seconds).max(source.options.suspect_age_seconds.into()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
