//! Reads the store's own list, a hundred entries a call, and finds where it differs from what is known.

use std::collections::{HashMap, HashSet};

use super::{
    Work,
    compare::{self, Judgement},
    store::{self, Found},
};
use crate::{
    engine::stop::Stop,
    entity::{file, finding::FindingKind, reconcile::ReconcileStep},
    openai::{Order, StoreFile, StoreFileQuery},
};

/// Rows looked at together.
const GROUP: u64 = 500;

impl Work<'_> {
    /// Walks the list from where it was left, the oldest entries first: what comes meanwhile is at its end.
    pub(super) async fn list(&mut self) -> Result<ReconcileStep, Stop> {
        let query = StoreFileQuery { order: Order::OldestFirst, ..StoreFileQuery::default() };
        let mut passed = HashSet::new();
        loop {
            self.check_time()?;
            let after = self.row.list_after.clone();
            let listing = match self.openai.store_files(&self.vector_store, &query, after.as_deref()).await {
                Ok(listing) => listing,
                Err(error) => {
                    // What it goes on after may be gone: it begins anew, and knows again what it met before.
                    if after.is_some() && !error.is_transient() {
                        self.begin_anew().await?;
                    }
                    return Err(error.into());
                }
            };
            self.row.list_after.clone_from(&listing.after);
            self.note(listing.items).await?;
            match listing.after {
                None => return Ok(ReconcileStep::Miss),
                Some(after) => {
                    if !passed.insert(after) {
                        self.begin_anew().await?;
                        return Err(Stop::pause(
                            "openai_unavailable",
                            "The store's list repeats itself.",
                            None,
                        ));
                    }
                }
            }
        }
    }

    async fn begin_anew(&mut self) -> Result<(), Stop> {
        self.row.list_after = None;
        (self.row.done, self.row.foreign_files, self.row.kept_files) = (0, 0, 0);
        self.save().await
    }

    /// Commits what one part of the list shows, and where it ends.
    async fn note(&mut self, entries: Vec<StoreFile>) -> Result<(), Stop> {
        let db = self.app.db.read();
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let known: HashMap<String, file::Model> = store::rows_by_openai_ids(db, &ids).await?;
        let kept = store::kept(db, &ids).await?;
        self.row.done += i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let mut found = Vec::new();
        for entry in &entries {
            let row = known.get(&entry.id).filter(|row| row.knowledge_base_id == self.knowledge_base.id);
            match compare::judge(entry, row, &self.mark) {
                Judgement::Known => {}
                Judgement::Foreign => self.row.foreign_files += 1,
                Judgement::Unknown if kept.contains(&entry.id) => self.row.kept_files += 1,
                Judgement::Unknown => found.push(of_entry(FindingKind::Unknown, entry, None)),
                Judgement::Broken => found.push(of_entry(FindingKind::Broken, entry, row)),
                Judgement::Changed => found.push(of_entry(FindingKind::Changed, entry, row)),
            }
        }
        let rows: Vec<&file::Model> = known.values().collect();
        let tx = self.begin_write().await?;
        store::seen(&tx, &rows, self.began()).await?;
        store::add(&tx, self.row.id, found, self.now()).await?;
        store::save(&tx, &self.row).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Finds live files that the list lacks.
    pub(super) async fn miss(&mut self) -> Result<ReconcileStep, Stop> {
        loop {
            self.check_time()?;
            let (id, began) = (self.knowledge_base.id, self.began());
            let missed = store::missed(self.app.db.read(), id, began, self.row.row_after, GROUP).await?;
            let Some(last) = missed.last() else { return Ok(ReconcileStep::Sweep) };
            self.row.row_after = Some(last.id);
            let found = missed.into_iter().filter_map(|file| {
                let text = |name: &str| file.attributes[name].as_str().map(str::to_owned);
                let (page_id, title) = (text("page_id"), text("title"));
                let openai_file_id = file.openai_file_id.clone()?;
                Some(Found { kind: FindingKind::Missing, openai_file_id, file: Some(file), page_id, title })
            });
            let found = found.collect();
            let tx = self.begin_write().await?;
            store::add(&tx, self.row.id, found, self.now()).await?;
            store::save(&tx, &self.row).await?;
            tx.commit().await?;
        }
    }
}

fn of_entry(kind: FindingKind, entry: &StoreFile, row: Option<&file::Model>) -> Found {
    let said = |name: &str| entry.attributes.get(name).and_then(|value| value.as_text()).map(str::to_owned);
    let known = |name: &str| row.and_then(|row| row.attributes[name].as_str().map(str::to_owned));
    Found {
        kind,
        openai_file_id: entry.id.clone(),
        file: row.cloned(),
        page_id: known("page_id").or_else(|| said("page_id")),
        title: known("title").or_else(|| said("title")),
    }
}
