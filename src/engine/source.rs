//! One run on one source: the straight line, walked once. It ends in a report, never in an error.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::Instrument;

use super::{
    approved::Approved,
    budget, metadata, observe, pipeline, planned, restrictions,
    retire::Retiring,
    run::Run,
    settle,
    stop::Stop,
    store::{
        documents, files, observed,
        syncs::{self, Claim, End, Progress},
    },
};
use crate::{
    app::App,
    connections::access::Access,
    entity::{
        Counts, Problem,
        document::Work,
        knowledge_base,
        knowledge_base::KnowledgeBaseStatus,
        selection::{self, SelectionKind, SelectionStatus},
        sync::{SyncMode, SyncStatus, SyncStep, SyncTrigger},
    },
    knowledge_bases, openai,
};

/// The first pause after a vendor's trouble; it grows with the time that the sync has been at it.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(15);

/// The longest pause between two looks at what is being indexed; it grows with the time that this takes.
const LONGEST_LOOK_PAUSE: Duration = Duration::from_secs(15);

/// Works on a claimed sync until it is done, or until a later run must go on.
pub async fn sync(app: &App, claim: Claim) {
    let span = tracing::info_span!("sync", source.id = %claim.source.id, sync.id = %claim.sync.id);
    async {
        let (source, sync, lease) = (claim.source.id, claim.sync.id, claim.lease.clone());
        // The whole line is one future, and a large one.
        if let Err(error) = Box::pin(run(app, claim)).await {
            match error {
                Stop::LeaseLost => tracing::info!("another process has the source now"),
                error => {
                    tracing::error!(%source, %sync, error = &error as &dyn std::error::Error, "a run failed");
                }
            }
            if let Err(error) = lease.release(&app.db).await {
                tracing::error!(%error, "a lease cannot be given back; it ends by itself");
            }
        }
    }
    .instrument(span)
    .await;
}

async fn run(app: &App, claim: Claim) -> Result<(), Stop> {
    let (knowledge_base, openai, access, approved) = match prepare(app, &claim).await {
        Ok(parts) => parts,
        Err(stop @ (Stop::Pause { .. } | Stop::Failed { .. })) => {
            let sync = &claim.sync;
            let progress =
                Progress { step: SyncStep::Observe, done: sync.done, total: sync.total, counts: sync.counts };
            return finish(app, &claim, Some(stop), Remaining::default(), progress).await;
        }
        Err(stop) => return Err(stop),
    };
    let mut run = Run::new(app.clone(), claim, knowledge_base, openai, access, approved);
    run.allowance = budget::allowance(&run).await?;
    let walked = tokio::select! {
        walked = walk(&run) => walked,
        stop = run.keep_lease() => Err(stop),
    };
    let stop = match walked {
        Err(stop @ (Stop::LeaseLost | Stop::Db(_))) => return Err(stop),
        walked => walked.err().or_else(|| run.halted()),
    };
    budget::book(&run).await?;
    let candidates = files::candidate_count(app.db.read(), run.source().id).await?;
    let indexing_since = if candidates > 0 {
        files::open_batches(app.db.read(), run.source().id).await?.first().map(|batch| batch.sent_at)
    } else {
        None
    };
    if let Some(Stop::Failed { problem, knowledge_base: true }) = &stop {
        knowledge_bases::store::block(app.db.write(), run.knowledge_base.id, problem.clone(), run.now())
            .await?;
    }
    let unfinished = match &stop {
        None => unfinished(&run).await?,
        Some(_) => None,
    };
    let left = Remaining { candidates, indexing_since, unfinished, trouble: run.trouble() };
    finish(app, &run.claim, stop, left, run.progress()).await
}

/// What a run leaves undone.
#[derive(Default)]
struct Remaining {
    /// Files that are on their way.
    candidates: u64,
    /// When the oldest of them was attached.
    indexing_since: Option<DateTime<Utc>>,
    /// What the sync waits for, if it has not seen or loaded all that it is there for.
    unfinished: Option<Problem>,
    /// What hindered it.
    trouble: Option<Stop>,
}

/// What a sync waits for that did what it could in this run, if that was not all.
async fn unfinished(run: &Run) -> Result<Option<Problem>, Stop> {
    let sync = &run.claim.sync;
    if run.only_plans() || sync.applies.is_some() {
        return Ok(None);
    }
    let (db, source) = (run.app.db.read(), run.source().id);
    let is_owed = |selection: &selection::Model| {
        selection.kind == SelectionKind::Space
            && selection.listing.is_some()
            && selection.status == SelectionStatus::Ok
            && budget::is_owed(sync, selection)
    };
    let listing = observed::selections(db, source).await?.iter().any(is_owed);
    let loading = run.loadable() == 0
        && !documents::to_do(db, source, Work::Create, None, 1, run.now()).await?.is_empty();
    Ok((listing || loading).then(|| {
        let (code, message) = if run.allowance.is_some() {
            ("confluence_quota", "The source's share of this hour's Confluence points is used up.")
        } else {
            ("listing_goes_on", "A space is too large to be listed in one run.")
        };
        Problem::new(code, message, "Nothing: the next run goes on by itself.")
    }))
}

/// What a run needs before it begins.
type Prepared = (knowledge_base::Model, openai::Client, Access, Option<Approved>);

/// The knowledge base, its client, the way to the site, and what was approved if that is all that may be done.
async fn prepare(app: &App, claim: &Claim) -> Result<Prepared, Stop> {
    let source = &claim.source;
    let knowledge_base = syncs::knowledge_base(app.db.read(), source.knowledge_base_id).await?;
    match knowledge_base.status {
        KnowledgeBaseStatus::Active => {}
        KnowledgeBaseStatus::Creating => {
            return Err(Stop::pause("store_being_created", "The vector store is still being created.", None));
        }
        KnowledgeBaseStatus::Blocked | KnowledgeBaseStatus::Deleting => {
            let problem = knowledge_base.problem.clone().unwrap_or_else(|| {
                Problem::new(
                    "knowledge_base_blocked",
                    "The knowledge base is not in use.",
                    "See its problem.",
                )
            });
            return Err(Stop::failed(problem));
        }
    }
    let openai = knowledge_bases::client(app, &knowledge_base).map_err(Stop::failed)?;
    let connection = source.connection_id.ok_or_else(|| {
        Stop::failed(Problem::new(
            "connection_gone",
            "The source has no connection.",
            "Give it one with PATCH.",
        ))
    })?;
    let access = Access::open(app, connection, &source.cloud_id).await?;
    let approved = Approved::of(app, claim, &access).await?;
    Ok((knowledge_base, openai, access, approved))
}

/// Settle, observe and drain side by side, describe, retire.
async fn walk(run: &Run) -> Result<(), Stop> {
    if run.only_plans() {
        planned::begin(run).await?;
        return observe::observe(run).await;
    }
    let left = settle::settle(run).await?;
    tokio::try_join!(observe_now(run), pipeline::drain(run, left))?;
    if !run.is_halted() {
        restrictions::decide(run).await?;
        run.at(SyncStep::Apply);
        metadata::describe(run).await?;
    }
    run.at(SyncStep::Retire);
    let retiring = Retiring {
        db: &run.app.db,
        lease: &run.claim.lease,
        source: run.source().id,
        openai: &run.openai,
        store: &run.store,
        pace: &run.pace,
    };
    retiring.run(|| run.is_over()).await?;
    Ok(())
}

/// Observes if it is time to. Trouble with Confluence halts the run, but what is in flight is still recorded.
async fn observe_now(run: &Run) -> Result<(), Stop> {
    if run.claim.observes {
        match observe::observe(run).await {
            Ok(()) => {}
            Err(stop @ (Stop::LeaseLost | Stop::Db(_))) => return Err(stop),
            Err(stop) => run.halt(stop),
        }
    }
    run.close_backlog();
    Ok(())
}

/// Ends the run: what the sync's row says from now on.
async fn finish(
    app: &App,
    claim: &Claim,
    stop: Option<Stop>,
    left: Remaining,
    progress: Progress,
) -> Result<(), Stop> {
    let now = app.clock.now();
    let end = end(app, claim, stop, left, progress.counts, now);
    let progress = if end.status == SyncStatus::Running {
        progress
    } else {
        Progress { step: SyncStep::Done, ..progress }
    };
    if let Some(problem) = &end.problem {
        tracing::warn!(status = ?end.status, problem = problem.code, "{}", problem.message);
    } else if end.forget {
        tracing::debug!("nothing had changed");
    } else {
        tracing::info!(status = ?end.status, done = progress.done, counts = ?progress.counts, "the run is over");
    }
    syncs::end(&app.db, claim, &end, progress, now).await?;
    Ok(())
}

fn end(
    app: &App,
    claim: &Claim,
    stop: Option<Stop>,
    left: Remaining,
    counts: Counts,
    now: DateTime<Utc>,
) -> End {
    let Remaining { candidates, indexing_since, unfinished, trouble } = left;
    let later = |wait: Duration| Some(now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX));
    let rest = |status, problem| End { status, not_before: None, problem, forget: false };
    match stop {
        Some(Stop::Failed { problem, .. }) => {
            let forget = says_nothing(claim, counts, Some(&problem));
            End { forget, ..rest(SyncStatus::Failed, Some(problem)) }
        }
        Some(Stop::Pause { wait, problem }) => {
            let not_before = later(wait.unwrap_or_default()).max(Some(now + pause(claim, now)));
            End { not_before, ..rest(SyncStatus::Running, Some(problem)) }
        }
        Some(Stop::Halted) => rest(SyncStatus::Cancelled, None),
        Some(Stop::HandOver | Stop::LeaseLost | Stop::Db(_)) => rest(SyncStatus::Running, None),
        // A plan moves no candidate on, so it must not wait for one either.
        None if candidates > 0 && claim.sync.mode != SyncMode::Plan && now < claim.next_sync_at => {
            let so_far = indexing_since.and_then(|since| (now - since).to_std().ok()).unwrap_or_default();
            let least = app.settings.timing.poll_pause_most.max(Duration::from_millis(1));
            let not_before = later((so_far / 4).min(LONGEST_LOOK_PAUSE).max(least));
            End { not_before, ..rest(SyncStatus::Running, problem_of(trouble)) }
        }
        None if unfinished.is_some() => {
            let problem = problem_of(trouble).or(unfinished);
            End { not_before: Some(claim.next_sync_at), ..rest(SyncStatus::Running, problem) }
        }
        None => {
            let status = if claim.sync.mode == SyncMode::Plan {
                SyncStatus::Planned
            } else if counts.held > 0 {
                SyncStatus::Held
            } else if counts.failed > 0 || candidates > 0 || trouble.is_some() {
                SyncStatus::Partial
            } else {
                SyncStatus::Succeeded
            };
            let problem = problem_of(trouble);
            let forget = says_nothing(claim, counts, problem.as_ref());
            End { forget, ..rest(status, problem) }
        }
    }
}

/// Whether an interval sync need not be kept: it changed nothing, and met no trouble that is not on the source already.
fn says_nothing(claim: &Claim, counts: Counts, problem: Option<&Problem>) -> bool {
    claim.sync.trigger == SyncTrigger::Interval
        && counts == Counts::default()
        && problem.is_none_or(|problem| {
            claim.source.problem.as_ref().is_some_and(|known| known.code == problem.code)
        })
}

/// A pause as long as the sync has been at it, so that trouble that lasts is asked about ever more rarely.
fn pause(claim: &Claim, now: DateTime<Utc>) -> TimeDelta {
    let interval = TimeDelta::seconds(claim.source.interval_seconds.into()).max(FIRST_PAUSE);
    let so_far = claim.sync.started_at.map_or(FIRST_PAUSE, |started| now - started);
    so_far.clamp(FIRST_PAUSE, interval)
}

fn problem_of(trouble: Option<Stop>) -> Option<Problem> {
    match trouble? {
        Stop::Pause { problem, .. } | Stop::Failed { problem, .. } => Some(problem),
        Stop::LeaseLost | Stop::HandOver | Stop::Halted | Stop::Db(_) => None,
    }
}
