//! What must be true after each tick, and what must be true in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sea_orm::EntityTrait;
use sha2::{Digest, Sha256};
use simulator::{Id, State};
use tidegate::{
    entity::{
        document::{self, DocumentState, Work},
        file::{self, FileRole},
        held_removal, selection, sync,
    },
    ids::{DocumentId, SourceId},
    knowledge_bases,
};

use super::{
    oracle::{self, Wanted},
    town::{Feeder, Town, Violation},
};

impl Town {
    /// What is wanted of a source now.
    pub async fn wanted(&self, feeder: &Feeder) -> BTreeMap<Id, Wanted> {
        let selections = self.selections(feeder.id).await;
        let handle = &self.sites[feeder.site];
        let url = handle.url();
        let options = self.source(feeder.id).await.options;
        handle.with(|site| Ok(oracle::wanted(site, &url, &self.account, &selections, &options))).unwrap()
    }

    /// After each tick: nothing that was live and is wanted is missing, nothing left without evidence, every file of ours
    /// is known, and nothing of others was touched.
    pub async fn check(&mut self) -> Result<(), Violation> {
        let db = self.app.db.read();
        let documents: HashMap<DocumentId, document::Model> =
            document::Entity::find().all(db).await.unwrap().into_iter().map(|row| (row.id, row)).collect();
        let files = file::Entity::find().all(db).await.unwrap();
        let live = self.readable(&documents, &files);
        for feeder in &self.feeders {
            let wanted = self.wanted(feeder).await;
            for (source, page) in self.live.iter().filter(|(source, _)| *source == feeder.id) {
                if live.contains(&(*source, page.clone())) {
                    continue;
                }
                let document =
                    documents.values().find(|row| row.source_id == *source && row.external_id == *page);
                if wanted.contains_key(&page.parse().unwrap()) {
                    return Err(format!(
                        "page {page} of {source} was live, is wanted, and left: {document:?}"
                    ));
                }
                if document.is_some_and(|document| document.evidence.is_none()) {
                    return Err(format!("page {page} of {source} left without evidence: {document:?}"));
                }
            }
        }
        self.live = live;
        self.check_account(&files)
    }

    /// The pages whose live files readers find.
    fn readable(
        &self,
        documents: &HashMap<DocumentId, document::Model>,
        files: &[file::Model],
    ) -> BTreeSet<(SourceId, String)> {
        let openai = self.simulator.openai();
        let completed: HashSet<&str> = self
            .feeders
            .iter()
            .flat_map(|feeder| openai.store(&feeder.store).unwrap().entries())
            .filter(|entry| entry.state == State::Completed)
            .map(|entry| entry.file.as_str())
            .collect();
        files
            .iter()
            .filter(|file| file.role == FileRole::Live)
            .filter(|file| file.openai_file_id.as_deref().is_some_and(|id| completed.contains(id)))
            .map(|file| (file.source_id, documents[&file.document_id].external_id.clone()))
            .collect()
    }

    /// Every file of the account is another's, untouched, or has a row.
    fn check_account(&self, files: &[file::Model]) -> Result<(), Violation> {
        let openai = self.simulator.openai();
        let foreign: HashSet<&str> = self.foreign.iter().map(|foreign| foreign.file.as_str()).collect();
        let known: HashSet<&str> = files.iter().map(|file| file.file_name.as_str()).collect();
        for file in openai.projects()[0].files() {
            if !foreign.contains(file.id.as_str()) && !known.contains(file.filename.as_str()) {
                return Err(format!("the file {} is known to no row", file.filename));
            }
        }
        for foreign in &self.foreign {
            let id = &foreign.file;
            if openai.file(id).is_none() {
                return Err(format!("the file {id}, which is not ours, is gone"));
            }
            let Some(store) = &foreign.store else { continue };
            let entry = openai.store(store).unwrap().entry(id);
            if entry.is_none_or(|entry| entry.attributes != foreign.attributes.clone().into_iter().collect())
            {
                return Err(format!("the entry {id}, which is not ours, was changed: {entry:?}"));
            }
        }
        Ok(())
    }

    /// In the end: the stores hold what is wanted and nothing else of ours.
    pub async fn check_end(&self) -> Result<(), Violation> {
        let mut entries = self.entries();
        let mut count = 0;
        for feeder in &self.feeders {
            for page in self.wanted(feeder).await.values() {
                count += 1;
                let key = (
                    feeder.store.clone(),
                    self.sites[feeder.site].cloud_id().to_owned(),
                    page.id.to_string(),
                );
                let found = entries.remove(&key).unwrap_or_default();
                let [found] = found.as_slice() else {
                    let row = self.row(feeder, page.id).await;
                    return Err(format!(
                        "page {} of {} has {} files in the store: {row:?}",
                        page.id,
                        feeder.id,
                        found.len()
                    ));
                };
                if let Err(violation) = self.check_entry(feeder, page, found) {
                    let row = self.row(feeder, page.id).await;
                    return Err(format!("page {} of {}: {violation}: {row:?}", page.id, feeder.id));
                }
            }
        }
        if let Some(((_, _, page), left)) = entries.pop_first() {
            let rows = document::Entity::find().all(self.app.db.read()).await.unwrap();
            let row: Vec<_> = rows.iter().filter(|row| row.external_id == page).collect();
            return Err(format!("{left:?} is not wanted: {row:?}"));
        }
        let files = self.simulator.openai().projects()[0].files().count() - self.foreign.len();
        if files != count {
            return Err(format!("{files} files of ours in the account, {count} pages"));
        }
        self.check_rest().await
    }

    async fn row(&self, feeder: &Feeder, page: Id) -> Option<document::Model> {
        let rows = document::Entity::find().all(self.app.db.read()).await.unwrap();
        rows.into_iter().find(|row| row.source_id == feeder.id && row.external_id == page.to_string())
    }

    /// The entries that are not foreign, by store, site and page.
    fn entries(&self) -> BTreeMap<(String, String, String), Vec<Found>> {
        let openai = self.simulator.openai();
        let stores: BTreeSet<&str> = self.feeders.iter().map(|feeder| feeder.store.as_str()).collect();
        let foreign: HashSet<&str> = self.foreign.iter().map(|foreign| foreign.file.as_str()).collect();
        let mut entries: BTreeMap<_, Vec<Found>> = BTreeMap::new();
        for store in stores {
            for entry in openai.store(store).unwrap().entries() {
                if foreign.contains(entry.file.as_str()) {
                    continue;
                }
                let text = |name: &str| {
                    entry.attributes.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned()
                };
                let found = Found {
                    state: entry.state,
                    text: entry.text().unwrap_or_default().to_owned(),
                    attributes: entry.attributes.clone().into_iter().collect(),
                };
                entries.entry((store.to_owned(), text("cloud_id"), text("page_id"))).or_default().push(found);
            }
        }
        entries
    }

    fn check_entry(&self, feeder: &Feeder, page: &Wanted, found: &Found) -> Result<(), Violation> {
        if found.state != State::Completed || found.text != page.text {
            return Err(format!("found {found:?}, wanted {page:?}"));
        }
        let site = &self.sites[feeder.site];
        let number = |name: &str| found.attributes[name].as_i64().unwrap_or_default();
        let version = u32::try_from(number("version")).unwrap();
        let uploaded = self.said.get(&(feeder.site, page.id, version)).ok_or("a version that never was")?;
        let text = oracle::text(&site.url(), page.id, &page.space_key, &uploaded.title, &uploaded.storage);
        if text.as_ref() != Some(&page.text) || number("updated_at") != uploaded.at.div_euclid(1000) {
            return Err(format!("version {version} is not what was uploaded: {found:?}"));
        }
        let digest = Sha256::digest(page.text.as_bytes());
        let sha256 = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let path = found.attributes["path"].as_str().unwrap_or_default();
        let expected = [
            ("tidegate", knowledge_bases::owner_mark(self.app.installation, feeder.knowledge_base)),
            ("page_id", page.id.to_string()),
            ("space_key", page.space_key.clone()),
            ("cloud_id", site.cloud_id().to_owned()),
            ("title", page.title.clone()),
            ("url", format!("{}/wiki/pages/viewpage.action?pageId={}", site.url(), page.id)),
            ("path", page.path.clone().unwrap_or(path.to_owned())),
            ("sha256", sha256),
        ];
        for (name, expected) in &expected {
            if found.attributes[*name] != **expected {
                return Err(format!("{name} is {}, not {expected:?}", found.attributes[*name]));
            }
        }
        let names = expected.len() + 2;
        if found.attributes.len() == names { Ok(()) } else { Err(format!("other attributes: {found:?}")) }
    }

    /// Nothing is left to do in the database.
    async fn check_rest(&self) -> Result<(), Violation> {
        let db = self.app.db.read();
        let files = file::Entity::find().all(db).await.unwrap();
        if let Some(file) = files.iter().find(|file| file.role != FileRole::Live) {
            return Err(format!("a file is still on its way: {file:?}"));
        }
        for document in document::Entity::find().all(db).await.unwrap() {
            let rests = matches!(
                document.state,
                DocumentState::Live | DocumentState::Removed | DocumentState::Skipped
            );
            if !rests || document.work != Work::None {
                return Err(format!("a document is not at rest: {document:?}"));
            }
        }
        Ok(())
    }

    /// What stands where, for whoever looks into a violation.
    pub async fn state(&self) -> String {
        let db = self.app.db.read();
        let mut lines = Vec::new();
        lines.extend(selection::Entity::find().all(db).await.unwrap().iter().map(|row| format!("{row:?}")));
        lines.extend(sync::Entity::find().all(db).await.unwrap().iter().map(|row| format!("{row:?}")));
        lines.extend(document::Entity::find().all(db).await.unwrap().iter().map(|row| format!("{row:?}")));
        lines
            .extend(held_removal::Entity::find().all(db).await.unwrap().iter().map(|row| format!("{row:?}")));
        let calls = self.simulator.call_log();
        let last = calls.iter().skip(calls.len().saturating_sub(25));
        lines.extend(last.map(|call| {
            format!(
                "{} {} {} {} {:?} {}",
                call.at, call.operation, call.path, call.query, call.faults, call.status
            )
        }));
        lines.join("\n")
    }

    /// Removals wait for a person although the pages are wanted.
    pub async fn check_holds(&self) -> Result<(), Violation> {
        let db = self.app.db.read();
        let held = held_removal::Entity::find().all(db).await.unwrap();
        for feeder in self.feeders.iter().filter(|feeder| held.iter().any(|held| held.source_id == feeder.id))
        {
            let wanted = self.wanted(feeder).await;
            for held in held.iter().filter(|held| held.source_id == feeder.id) {
                let row = document::Entity::find_by_id(held.document_id).one(db).await.unwrap().unwrap();
                if wanted.contains_key(&row.external_id.parse().unwrap()) {
                    return Err(format!("the removal of a wanted page is held: {held:?}, {row:?}"));
                }
            }
        }
        Ok(())
    }
}

/// An entry of a store.
#[derive(Debug)]
struct Found {
    state: State,
    text: String,
    attributes: BTreeMap<String, serde_json::Value>,
}
