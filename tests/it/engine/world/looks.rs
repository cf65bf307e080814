//! What is to be seen at OpenAI, and what Tidegate says of it.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use simulator::{Id, Simulator, State};
use tidegate::{
    entity::{
        EvidenceKind, change,
        change::{ChangeKind, ChangeOutcome},
        document,
        document::DocumentState,
        held_removal, hold, knowledge_base, selection, source, sync,
    },
    ids::SelectionId,
};

use super::World;

/// The texts of the completed files of a store, by page.
pub fn texts(simulator: &Simulator, store: &str) -> BTreeMap<String, Vec<String>> {
    let openai = simulator.openai();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in openai.store(store).unwrap().entries() {
        if entry.state == State::Completed {
            let page = entry.attributes["page_id"].as_str().unwrap().to_owned();
            texts.entry(page).or_default().push(entry.text().unwrap().to_owned());
        }
    }
    texts
}

/// Whether these are the expected texts, once each.
pub fn are(texts: &BTreeMap<String, Vec<String>>, expected: &BTreeMap<String, String>) -> bool {
    texts.len() == expected.len()
        && texts
            .iter()
            .zip(expected)
            .all(|((of, found), (page, text))| of == page && *found == [text.as_str()])
}

/// How many files the account has.
pub fn files(simulator: &Simulator) -> usize {
    simulator.openai().projects().iter().map(|project| project.files().count()).sum()
}

impl World {
    /// What a reader of the store finds: the texts of our completed files, by page.
    pub fn store(&self) -> BTreeMap<String, Vec<String>> {
        texts(&self.simulator, &self.store)
    }

    /// An attribute of the one file of a page.
    pub fn attribute(&self, page: Id, name: &str) -> serde_json::Value {
        let openai = self.simulator.openai();
        let store = openai.store(&self.store).unwrap();
        let page_id = page.to_string();
        let of_page = |entry: &&simulator::openai::Entry| entry.attributes["page_id"] == *page_id;
        let entries: Vec<_> = store.entries().filter(of_page).collect();
        assert_eq!(entries.len(), 1, "page {page} has {} files", entries.len());
        entries[0].attributes[name].clone()
    }

    /// Asserts that the store holds exactly these pages, once each, and that no file is left over beside it.
    pub fn holds(&self, pages: &[Id]) {
        let mut wanted: Vec<String> = pages.iter().map(ToString::to_string).collect();
        wanted.sort();
        let store = self.store();
        assert_eq!(store.keys().cloned().collect::<Vec<_>>(), wanted, "pages in the store");
        for (page, texts) in &store {
            assert_eq!(texts.len(), 1, "page {page} is in the store {} times", texts.len());
        }
        assert_eq!(self.files(), pages.len(), "files of the account");
    }

    /// How many files the account has, in the store or not.
    pub fn files(&self) -> usize {
        files(&self.simulator)
    }

    /// The text of a page in the store.
    pub fn text(&self, page: Id) -> String {
        let mut texts = self.store().remove(&page.to_string()).unwrap_or_default();
        assert_eq!(texts.len(), 1, "page {page} is in the store {} times", texts.len());
        texts.remove(0)
    }

    pub async fn document(&self, page: Id) -> document::Model {
        let row = document::Entity::find()
            .filter(document::Column::SourceId.eq(self.source))
            .filter(document::Column::ExternalId.eq(page.to_string()))
            .one(self.app.db.read())
            .await;
        row.unwrap().unwrap_or_else(|| panic!("page {page} has no document"))
    }

    /// The syncs that are kept, oldest first.
    pub async fn syncs(&self) -> Vec<sync::Model> {
        sync::Entity::find().order_by_asc(sync::Column::Id).all(self.app.db.read()).await.unwrap()
    }

    pub async fn last_sync(&self) -> sync::Model {
        self.syncs().await.pop().expect("no sync is kept")
    }

    /// The calls of one vendor since the last time it was asked.
    pub fn calls(&self) -> simulator::Totals {
        let totals = self.simulator.calls();
        self.simulator.reset_calls();
        totals
    }

    /// Whether the store has a page's text.
    pub fn has(&self, page: Id) -> bool {
        self.store().contains_key(&page.to_string())
    }

    pub async fn state(&self, page: Id) -> DocumentState {
        self.document(page).await.state
    }

    /// Asserts that a page left, and why.
    pub async fn left(&self, page: Id, kind: EvidenceKind) {
        let document = self.document(page).await;
        let found = document.evidence.map(|evidence| evidence.kind);
        assert_eq!((document.state, found), (DocumentState::Removed, Some(kind)), "page {page}");
        assert!(!self.has(page), "page {page} is still in the store");
    }

    pub async fn source(&self) -> source::Model {
        let row = source::Entity::find_by_id(self.source).one(self.app.db.read()).await;
        row.unwrap().expect("the source is gone")
    }

    pub async fn source_is_gone(&self) -> bool {
        source::Entity::find_by_id(self.source).one(self.app.db.read()).await.unwrap().is_none()
    }

    pub async fn knowledge_base(&self) -> Option<knowledge_base::Model> {
        knowledge_base::Entity::find_by_id(self.knowledge_base).one(self.app.db.read()).await.unwrap()
    }

    pub async fn selection(&self, id: SelectionId) -> selection::Model {
        let row = selection::Entity::find_by_id(id).one(self.app.db.read()).await;
        row.unwrap().expect("the selection is gone")
    }

    /// What waits for a person, and for how many pages.
    pub async fn hold(&self) -> Option<(hold::Model, usize)> {
        let db = self.app.db.read();
        let hold = hold::Entity::find_by_id(self.source).one(db).await.unwrap()?;
        let removals = held_removal::Entity::find().all(db).await.unwrap();
        Some((hold, removals.len()))
    }

    /// The list of the last sync that is kept: page, kind and outcome.
    pub async fn changes(&self) -> Vec<(String, ChangeKind, ChangeOutcome)> {
        let which = change::Column::SyncId.eq(self.last_sync().await.id);
        let rows = change::Entity::find().filter(which).order_by_asc(change::Column::Id);
        let rows = rows.all(self.app.db.read()).await.unwrap();
        rows.into_iter().map(|row| (row.page_id, row.kind, row.outcome)).collect()
    }
}
