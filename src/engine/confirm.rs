//! Waits for files to be indexed, and swaps those that are. A stuck file delays nobody: it is given up at its deadline.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::mpsc::{self, error::TryRecvError},
    time::Instant,
};

use super::{
    run::Run,
    stop::Stop,
    store::{files, outcomes::Failure},
    swap,
};
use crate::{
    entity::{batch, file, sync::SyncStep},
    ids::BatchId,
    openai::{self, IndexStatus, StoreFile, StoreFileQuery},
};

/// A batch that is not done yet, and since when this run waits for it.
struct Open {
    batch: BatchId,
    since: Instant,
}

impl Open {
    fn now(batch: BatchId) -> Self {
        Self { batch, since: Instant::now() }
    }
}

/// Polls the batches that are attached until all are done, or until the run has waited long enough for the last of them. A
/// run that attached none itself looks at each only once: it need not hold its source for that.
pub async fn watch(
    run: &Run,
    left: Vec<BatchId>,
    mut attached: mpsc::UnboundedReceiver<BatchId>,
) -> Result<(), Stop> {
    let timing = &run.app.settings.timing;
    let mut open: Vec<Open> = left.into_iter().map(Open::now).collect();
    let mut patience = Duration::ZERO;
    let mut pause = timing.poll_pause;
    let mut closed_at: Option<Instant> = None;
    loop {
        if open.is_empty() {
            match attached.recv().await {
                Some(batch) => {
                    open.push(Open::now(batch));
                    patience = timing.confirm_wait;
                }
                None => return Ok(()),
            }
        }
        loop {
            match attached.try_recv() {
                Ok(batch) => {
                    open.push(Open::now(batch));
                    patience = timing.confirm_wait;
                    pause = timing.poll_pause;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    if closed_at.is_none() {
                        run.at(SyncStep::Confirm);
                        closed_at = Some(Instant::now());
                    }
                    break;
                }
            }
        }
        let last = closed_at.is_some_and(|at| at.elapsed() >= patience) || run.is_halted();
        let mut still_open = Vec::new();
        for batch in open {
            let partly = last || batch.since.elapsed() >= timing.confirm_wait;
            if !look(run, batch.batch, partly).await? {
                still_open.push(batch);
            }
        }
        open = still_open;
        if last && closed_at.is_some() {
            return Ok(());
        }
        if !open.is_empty() {
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(timing.poll_pause_most).max(Duration::from_millis(1));
        }
    }
}

/// Looks at one batch; answers whether it is done. With `partly`, what is completed of an unfinished one is swapped.
async fn look(run: &Run, id: BatchId, partly: bool) -> Result<bool, Stop> {
    let candidates = files::of_batch(run.app.db.read(), id).await?;
    let Some(batch) = files::batch(run.app.db.read(), id).await?.filter(|_| !candidates.is_empty()) else {
        return Ok(true);
    };
    let statuses = match statuses(run, &batch, &candidates, partly).await {
        Ok(statuses) => statuses,
        Err(error) => {
            tracing::warn!(batch.id = %id, %error, "a batch cannot be looked at");
            run.halt(error.into());
            return Ok(false);
        }
    };
    let (mut completed, mut lost, mut waiting) = (Vec::new(), Vec::new(), 0);
    for file in candidates {
        match statuses.get(file.openai_file_id.as_deref().unwrap_or_default()) {
            Some(State::Completed) => completed.push(file),
            Some(State::Failed(message)) => {
                let failure = Failure::passing("indexing_failed", message);
                lost.push((file, failure));
            }
            Some(State::Refused(message)) => {
                let failure = Failure::of_text("indexing_refused", message, &file);
                lost.push((file, failure));
            }
            None if run.now() >= batch.deadline_at => {
                let message = "OpenAI did not finish indexing the page in time.";
                lost.push((file, Failure::passing("indexing_timed_out", message)));
            }
            None => waiting += 1,
        }
    }
    swap::swap(run, &completed).await?;
    swap::give_up(run, &lost).await?;
    Ok(waiting == 0)
}

/// What is known of one file's indexing; absent while it goes on.
enum State {
    Completed,
    /// Another time may go better.
    Failed(String),
    /// The text itself is refused.
    Refused(String),
}

/// The files of a batch that are done, by their ids at OpenAI.
async fn statuses(
    run: &Run,
    batch: &batch::Model,
    candidates: &[file::Model],
    partly: bool,
) -> Result<HashMap<String, State>, openai::Error> {
    let Some(vendor_id) = &batch.vendor_id else { return one_by_one(run, candidates).await };
    let answer = match run.openai.batch(&run.store, vendor_id).await {
        // A batch is kept for some days only; its files are in the store all the same.
        Err(error) if error.is_not_found() => return one_by_one(run, candidates).await,
        answer => answer?,
    };
    let ids = || candidates.iter().filter_map(|file| file.openai_file_id.clone());
    if answer.status.is_terminal() && answer.counts.completed == u64::from(batch.size.unsigned_abs()) {
        return Ok(ids().map(|id| (id, State::Completed)).collect());
    }
    let news = answer.status.is_terminal() || (partly && answer.counts.in_progress < candidates.len() as u64);
    if !news && run.now() < batch.deadline_at {
        return Ok(HashMap::new());
    }
    let mut walk = run.openai.walk_batch_files(&run.store, vendor_id, &StoreFileQuery::default());
    let entries = walk.rest().await?;
    Ok(entries.into_iter().filter_map(|entry| Some((entry.id.clone(), state(&entry)?))).collect())
}

async fn one_by_one(run: &Run, candidates: &[file::Model]) -> Result<HashMap<String, State>, openai::Error> {
    let mut states = HashMap::new();
    for file in candidates {
        let Some(id) = &file.openai_file_id else { continue };
        match run.openai.store_file(&run.store, id).await {
            Ok(entry) => states.extend(state(&entry).map(|state| (id.clone(), state))),
            // Not in the store, or not yet: its deadline decides.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(states)
}

/// What an entry says; an unknown status is one that is not done.
fn state(entry: &StoreFile) -> Option<State> {
    match &entry.status {
        IndexStatus::Completed => Some(State::Completed),
        status if status.is_terminal() => {
            let said = entry.last_error.as_ref().and_then(|error| error.message.clone());
            let message =
                format!("OpenAI could not index the page: {}", said.as_deref().unwrap_or(status.as_str()));
            match entry.last_error.as_ref().and_then(|error| error.code.as_deref()) {
                Some("unsupported_file" | "invalid_file") => Some(State::Refused(message)),
                _ => Some(State::Failed(message)),
            }
        }
        _ => None,
    }
}
