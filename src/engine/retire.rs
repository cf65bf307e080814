//! Takes files out of the store and deletes them: only rows that are retiring, whatever the reason.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt, stream};

use super::stop::Stop;
use crate::{
    app::Db,
    entity::file,
    ids::{FileId, SourceId},
    openai::{self, Client, Deleted, Pace},
};

use super::store::{files, lease::Lease};

/// Deletions at once.
const AT_ONCE: usize = 4;
/// Deletions that are recorded together.
const GROUP: u64 = 100;

/// Where files are deleted, and with which right.
pub struct Retiring<'a> {
    /// The database.
    pub db: &'a Db,
    /// The right to work on the source.
    pub lease: &'a Lease,
    /// The source whose files retire.
    pub source: SourceId,
    /// OpenAI.
    pub openai: &'a Client,
    /// The vector store's id.
    pub store: &'a str,
    /// How fast.
    pub pace: &'a Pace,
}

impl Retiring<'_> {
    /// Deletes retiring files until none is left or `halted` says to stop; answers how many were deleted.
    ///
    /// "Not found" counts as deleted only after this credential has read the store: a key of another project finds
    /// nothing, either.
    pub async fn run(&self, halted: impl Fn() -> bool) -> Result<u64, Stop> {
        let readable = AtomicBool::new(false);
        let mut deleted = 0;
        loop {
            let retiring = files::retiring(self.db.read(), self.source, GROUP).await?;
            if retiring.is_empty() || halted() {
                return Ok(deleted);
            }
            let results: Vec<Result<FileId, openai::Error>> = stream::iter(0..retiring.len())
                .map(|at| self.delete(&retiring[at], &readable))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            let gone: Vec<FileId> =
                results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
            let tx = self.lease.begin(self.db).await?;
            files::forget(&tx, &gone).await?;
            tx.commit().await?;
            deleted += gone.len() as u64;
            if let Some(error) = results.into_iter().find_map(Result::err) {
                return Err(error.into());
            }
        }
    }

    /// Detaches, then deletes: where deleting a file does not take it out of stores, it would stay searchable.
    async fn delete(&self, file: &file::Model, readable: &AtomicBool) -> Result<FileId, openai::Error> {
        if let Some(openai_id) = &file.openai_file_id {
            self.pace.delete().await;
            if self.openai.detach(self.store, openai_id).await? == Deleted::NotThere {
                self.prove_readable(readable).await?;
            }
            if self.openai.delete_file(openai_id).await? == Deleted::NotThere {
                self.prove_readable(readable).await?;
            }
        }
        Ok(file.id)
    }

    async fn prove_readable(&self, readable: &AtomicBool) -> Result<(), openai::Error> {
        if !readable.load(Ordering::Relaxed) {
            self.openai.store(self.store).await?;
            readable.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
