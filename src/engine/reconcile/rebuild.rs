//! Makes a new store where one was lost, and brings every document into it.
//!
//! * The new store carries the mark of the knowledge base and of this rebuild, and is looked for before it is made again.
//! * In one transaction the knowledge base gets it, and all live files are on their way back: whoever worked on the old
//!   store loses the lease.
//! * The syncs of the sources carry them in: files that are still at OpenAI are attached, the others are uploaded from
//!   their kept texts.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{Work, store};
use crate::{
    engine::stop::Stop,
    entity::{Problem, reconcile::ReconcileStep},
    knowledge_bases::OWNER,
    openai::{Error, FileQuery},
};

/// The metadata that names the rebuild that a store was made by.
const REBUILD: &str = "tidegate_rebuild";

impl Work<'_> {
    /// Makes the store, or finds the one that an earlier call made.
    pub(super) async fn create(&mut self) -> Result<ReconcileStep, Stop> {
        if self.row.vector_store_id.is_none() {
            let made = match self.row.sent_at {
                Some(_) => self.find_made().await?,
                None => None,
            };
            let id = match made {
                Some(id) => id,
                None => self.make().await?,
            };
            tracing::info!(vector_store.id = id, "the new store is there");
            self.row.vector_store_id = Some(id);
            self.save().await?;
        }
        self.note_existing().await?;
        let Some(vector_store) = self.row.vector_store_id.clone() else { return Ok(ReconcileStep::Create) };
        self.row.step = ReconcileStep::Fill;
        let (began, now) = (self.began(), self.now());
        let tx = self.begin_write().await?;
        let files = store::switch(&tx, self.knowledge_base.id, &vector_store, began, now).await?;
        self.row.total = Some(i64::try_from(files).unwrap_or(i64::MAX));
        store::save(&tx, &self.row).await?;
        tx.commit().await?;
        self.app.wake.notify_one();
        Ok(ReconcileStep::Fill)
    }

    async fn make(&mut self) -> Result<String, Stop> {
        let metadata = BTreeMap::from([
            (OWNER.to_owned(), self.mark.clone()),
            (REBUILD.to_owned(), self.row.id.to_string()),
        ]);
        self.row.sent_at = Some(self.now());
        self.save().await?;
        self.may_write()?;
        match self.openai.create_store(&self.knowledge_base.name, &metadata).await {
            Ok(made) => Ok(made.id),
            Err(error) => {
                if !error.effect_unknown() {
                    self.row.sent_at = None;
                    self.save().await?;
                }
                Err(match error {
                    Error::Rejected { message, .. } => Stop::failed(Problem::new(
                        "refused_by_openai",
                        format!("OpenAI refuses to make the vector store: {message}"),
                        "Mend what it says, then rebuild again.",
                    )),
                    error => error.into(),
                })
            }
        }
    }

    /// The store that an earlier call made, if its answer was lost. While that call may still be under way, nothing is
    /// concluded.
    async fn find_made(&self) -> Result<Option<String>, Stop> {
        let rebuild = self.row.id.to_string();
        let mut stores = self.openai.walk_stores();
        while let Some(listing) = stores.next().await? {
            let ours = listing.items.into_iter().find(|store| {
                store.metadata.get(OWNER) == Some(&self.mark) && store.metadata.get(REBUILD) == Some(&rebuild)
            });
            if let Some(ours) = ours {
                return Ok(Some(ours.id));
            }
        }
        let patience =
            TimeDelta::from_std(self.app.settings.timing.request_timeout * 2).unwrap_or(TimeDelta::MAX);
        if self.row.sent_at.is_some_and(|sent_at| self.now() - sent_at < patience) {
            const MESSAGE: &str = "Whether the new store was made is not known yet.";
            return Err(Stop::pause("store_being_created", MESSAGE, patience.to_std().ok()));
        }
        Ok(None)
    }

    /// Notes which of our files are still at OpenAI: stores lose their entries, not the files themselves.
    async fn note_existing(&self) -> Result<(), Stop> {
        let mut walk = self.openai.walk_files(&FileQuery { limit: 10_000, ..FileQuery::default() });
        while let Some(listing) = walk.next().await? {
            for some in listing.items.chunks(500) {
                let ids: Vec<&str> = some.iter().map(|file| file.id.as_str()).collect();
                let tx = self.begin_write().await?;
                store::exist(&tx, self.knowledge_base.id, &ids, self.began()).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Counts what has arrived. Nothing while there is more to come.
    pub(super) async fn fill(&mut self) -> Result<Option<ReconcileStep>, Stop> {
        let coming = store::on_their_way(self.app.db.read(), self.knowledge_base.id).await?;
        let behind = store::left_behind(self.app.db.read(), self.knowledge_base.id).await?;
        let still = i64::try_from(coming + behind).unwrap_or(i64::MAX);
        self.row.done = self.row.total.map_or(0, |total| (total - still).max(0));
        Ok((coming == 0).then_some(ReconcileStep::Done))
    }
}
