//! Finds out what became of calls whose answers were lost, before anything new is done.
//!
//! * An upload is looked for by its unique name, back to before it was sent. Found, the file goes on; not found, its row
//!   waits on the way out until it cannot turn up any more, and the document is uploaded anew.
//! * A batch is looked for by its files in the store. What is there is being indexed; what is not is attached again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    attach::Ready,
    run::Run,
    stop::Stop,
    store::{self, files},
};
use crate::{
    entity::{
        batch::BatchStatus,
        file::{self, FileRole, FileStage},
    },
    ids::{BatchId, FileId},
    openai::{Client, Error, FileQuery, StoreFileQuery},
};

/// Two clocks may differ by so much.
const SKEW: TimeDelta = TimeDelta::minutes(10);
/// Files of earlier runs that one run takes up again.
const MOST_LEFT: u64 = 2_000;

/// What earlier runs left half-way.
#[derive(Debug, Default)]
pub struct Left {
    /// Uploaded files that wait to be attached.
    pub ready: Vec<Ready>,
    /// Batches that are being indexed.
    pub batches: Vec<BatchId>,
}

/// Settles what earlier runs of the source left half-way.
pub async fn settle(run: &Run) -> Result<Left, Stop> {
    let source = run.source().id;
    let db = run.app.db.read();
    let unanswered = files::unanswered(db, source).await?;
    if !unanswered.is_empty() {
        let now = run.now();
        let fates =
            fates(&run.openai, &unanswered, run.app.settings.timing.lost_upload_deadline, now).await?;
        let tx = run.begin().await?;
        fates.apply(&tx, now).await?;
        run.commit(tx).await?;
    }
    settle_batches(run).await?;
    let uploaded = files::candidates(db, source, &[FileStage::Uploaded], MOST_LEFT).await?;
    let mut documents = store::documents::by_ids(db, uploaded.iter().map(|file| file.document_id)).await?;
    let ready =
        uploaded.into_iter().filter_map(|file| Some((documents.remove(&file.document_id)?, file))).collect();
    let tx = run.begin().await?;
    files::close_batches(&tx, source).await?;
    run.commit(tx).await?;
    let batches = files::open_batches(db, source).await?;
    Ok(Left { ready, batches: batches.into_iter().map(|batch| batch.id).collect() })
}

/// What becomes of uploads whose answers were lost.
#[derive(Debug, Default)]
pub struct Fates {
    found: Vec<(FileId, String)>,
    ghosts: Vec<FileId>,
    over: Vec<FileId>,
}

impl Fates {
    /// Writes them down.
    pub async fn apply(&self, tx: &sea_orm::DatabaseTransaction, now: DateTime<Utc>) -> Result<(), Stop> {
        files::uploaded(tx, &self.found).await?;
        files::retire(tx, &self.ghosts, "upload_lost", now).await?;
        files::forget(tx, &self.over).await?;
        Ok(())
    }
}

/// Looks for files by their names in one walk, newest first, back to before the first of them was sent.
pub async fn fates(
    openai: &Client,
    unanswered: &[file::Model],
    deadline: std::time::Duration,
    now: DateTime<Utc>,
) -> Result<Fates, Error> {
    let oldest =
        unanswered.iter().map(|file| file.sent_at.unwrap_or(file.created_at)).min().unwrap_or(now) - SKEW;
    let mut names: HashMap<&str, &file::Model> =
        unanswered.iter().map(|file| (file.file_name.as_str(), file)).collect();
    let mut fates = Fates::default();
    let mut walk = openai.walk_files(&FileQuery::default());
    while let Some(listing) = walk.next().await? {
        for listed in &listing.items {
            if let Some(file) = names.remove(listed.filename.as_str()) {
                fates.found.push((file.id, listed.id.clone()));
            }
        }
        let passed = listing.items.last().is_some_and(|listed| listed.created_at < oldest.timestamp());
        if names.is_empty() || passed {
            break;
        }
    }
    let deadline = TimeDelta::from_std(deadline).unwrap_or(TimeDelta::MAX);
    for file in names.into_values() {
        let sent_at = file.sent_at.unwrap_or(file.created_at);
        if file.role == FileRole::Candidate {
            fates.ghosts.push(file.id);
        } else if now - sent_at >= deadline {
            fates.over.push(file.id);
        }
    }
    Ok(fates)
}

/// Looks into the store for the files of batches whose call was not answered, or that were attached one by one.
async fn settle_batches(run: &Run) -> Result<(), Stop> {
    let db = run.app.db.read();
    let unclear: Vec<_> = files::open_batches(db, run.source().id)
        .await?
        .into_iter()
        .filter(|batch| matches!(batch.status, BatchStatus::Sending | BatchStatus::Single))
        .collect();
    let Some(oldest) = unclear.iter().map(|batch| batch.sent_at).min() else { return Ok(()) };
    let in_store = entries_since(run, oldest - SKEW).await?;
    for batch in unclear {
        let candidates = files::of_batch(db, batch.id).await?;
        let missing: Vec<FileId> = candidates
            .iter()
            .filter(|file| file.openai_file_id.as_ref().is_none_or(|id| !in_store.contains(id)))
            .map(|file| file.id)
            .collect();
        let tx = run.begin().await?;
        for some in missing.chunks(500) {
            files::detached(&tx, some).await?;
        }
        if batch.status == BatchStatus::Sending {
            files::attached(&tx, batch.id, BatchStatus::Lost, None).await?;
        }
        run.commit(tx).await?;
    }
    Ok(())
}

/// The ids of entries that were made in the store since then: listings are newest first.
async fn entries_since(run: &Run, since: DateTime<Utc>) -> Result<HashSet<String>, Stop> {
    let mut ids = HashSet::new();
    let mut walk = run.openai.walk_store_files(&run.store, &StoreFileQuery::default());
    while let Some(listing) = walk.next().await? {
        let passed = listing.items.last().is_some_and(|entry| entry.created_at < since.timestamp());
        ids.extend(listing.items.into_iter().map(|entry| entry.id));
        if passed {
            break;
        }
    }
    Ok(ids)
}
