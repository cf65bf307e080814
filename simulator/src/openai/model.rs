//! OpenAI's side as a model: projects behind keys, their files, stores and batches, and how indexing goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::attributes::Attributes;
use super::entry::{Entry, Outcome};
use super::error::ApiError;
use super::habits::Habits;
use super::store::{Batch, Store};
use crate::clock::Millis;
use crate::random;

/// An uploaded file.
#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    pub filename: String,
    pub purpose: String,
    pub bytes: usize,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    /// `None` when it was longer than what the simulator keeps.
    pub text: Option<Arc<str>>,
    /// Stores it was attached to.
    pub(super) stores: Vec<String>,
}

/// How indexing of some files ends; see [`OpenAi::indexing`].
#[derive(Debug, Clone)]
pub struct IndexingRule {
    /// Text in the file name or in the value of an attribute; empty matches all.
    pub matching: String,
    /// How many more files it applies to; `None` is all.
    pub times: Option<u32>,
    pub outcome: Outcome,
    pub delay: Option<Duration>,
}

impl IndexingRule {
    /// Files that match end like this.
    #[must_use]
    pub fn new(matching: &str, outcome: Outcome) -> Self {
        Self { matching: matching.to_owned(), times: None, outcome, delay: None }
    }

    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }

    fn fits(&self, filename: &str, attributes: &Attributes) -> bool {
        let in_value =
            |value: &serde_json::Value| value.as_str().is_some_and(|text| text.contains(&self.matching));
        self.times != Some(0) && (filename.contains(&self.matching) || attributes.values().any(in_value))
    }
}

/// What belongs to one project; invisible to the others.
#[derive(Debug, Default)]
pub struct Project {
    /// By the order of their making.
    pub(super) files: BTreeMap<u64, File>,
    pub(super) file_order: HashMap<String, u64>,
    pub(super) stores: BTreeMap<u64, Store>,
    pub(super) store_order: HashMap<String, u64>,
    pub(super) batches: HashMap<String, Batch>,
}

impl Project {
    #[must_use]
    pub fn file(&self, id: &str) -> Option<&File> {
        self.files.get(self.file_order.get(id)?)
    }

    /// All files, oldest first.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    #[must_use]
    pub fn store(&self, id: &str) -> Option<&Store> {
        self.stores.get(self.store_order.get(id)?)
    }

    pub(super) fn store_mut(&mut self, id: &str) -> Option<&mut Store> {
        self.stores.get_mut(self.store_order.get(id)?)
    }

    /// All stores, oldest first.
    pub fn stores(&self) -> impl Iterator<Item = &Store> {
        self.stores.values()
    }

    pub(super) fn remove_file(&mut self, id: &str) -> Option<File> {
        self.files.remove(&self.file_order.remove(id)?)
    }
}

/// Everything at OpenAI.
#[derive(Debug)]
pub struct OpenAi {
    pub habits: Habits,
    /// 429 `insufficient_quota` on every call until this is false again.
    pub out_of_quota: bool,
    pub(super) projects: Vec<Project>,
    pub(super) retained_text: usize,
    keys: HashMap<String, usize>,
    rules: Vec<IndexingRule>,
    last_order: u64,
    windows: HashMap<String, (Millis, u32)>,
}

impl OpenAi {
    pub(crate) fn new(key: &str, retained_text: usize) -> Self {
        Self {
            habits: Habits::default(),
            out_of_quota: false,
            projects: vec![Project::default()],
            retained_text,
            keys: HashMap::from([(key.to_owned(), 0)]),
            rules: Vec::new(),
            last_order: 0,
            windows: HashMap::new(),
        }
    }

    /// Adds a key with a project of its own.
    pub fn add_key(&mut self, key: &str) {
        self.keys.insert(key.to_owned(), self.projects.len());
        self.projects.push(Project::default());
    }

    /// Adds a second key to the project of a known one; false when that is unknown.
    pub fn add_key_like(&mut self, key: &str, known: &str) -> bool {
        let project = self.keys.get(known).copied();
        project.is_some_and(|project| self.keys.insert(key.to_owned(), project).is_none())
    }

    /// The key is refused from now on; its project stays.
    pub fn kill_key(&mut self, key: &str) {
        self.keys.remove(key);
    }

    /// The project of a key.
    #[must_use]
    pub fn project(&self, key: &str) -> Option<&Project> {
        self.projects.get(*self.keys.get(key)?)
    }

    /// All projects, in the order of their first keys.
    #[must_use]
    pub fn projects(&self) -> &[Project] {
        &self.projects
    }

    pub(super) fn project_of(&self, key: &str) -> Result<usize, ApiError> {
        let known = self.keys.get(key).copied().or((self.habits.any_key && !key.is_empty()).then_some(0));
        known.ok_or_else(|| ApiError::bad_key(key))
    }

    /// Decides how indexing of matching files ends; the first rule that fits is used.
    pub fn indexing(&mut self, rule: IndexingRule) {
        self.rules.push(rule);
    }

    /// Indexing succeeds again.
    pub fn clear_indexing(&mut self) {
        self.rules.clear();
    }

    /// Removes a file behind the stores' back: their entries dangle.
    pub fn lose_file(&mut self, file: &str) -> bool {
        self.projects.iter_mut().any(|project| project.remove_file(file).is_some())
    }

    /// Takes an entry out of a store; its file stays.
    pub fn lose_entry(&mut self, store: &str, file: &str) -> bool {
        let mut stores = self.projects.iter_mut().filter_map(|project| project.store_mut(store));
        stores.next().is_some_and(|store| store.remove(file).is_some())
    }

    /// Removes a store behind its owner's back.
    pub fn lose_store(&mut self, store: &str) -> bool {
        self.projects.iter_mut().any(|project| {
            project.store_order.remove(store).and_then(|at| project.stores.remove(&at)).is_some()
        })
    }

    /// A store of any project.
    #[must_use]
    pub fn store(&self, id: &str) -> Option<&Store> {
        self.projects.iter().find_map(|project| project.store(id))
    }

    /// A file of any project.
    #[must_use]
    pub fn file(&self, id: &str) -> Option<&File> {
        self.projects.iter().find_map(|project| project.file(id))
    }

    pub(super) fn order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    /// Counts against a limit a minute; answers the seconds to wait when it is passed.
    pub(super) fn throttle(&mut self, what: &str, limit: Option<u32>, now: Millis) -> Result<(), ApiError> {
        const MINUTE: Millis = 60_000;
        let Some(limit) = limit else { return Ok(()) };
        let window = self.windows.entry(what.to_owned()).or_insert((now, 0));
        if now - window.0 >= MINUTE {
            *window = (now, 0);
        }
        window.1 += 1;
        if window.1 <= limit {
            return Ok(());
        }
        let seconds = (window.0 + MINUTE - now).div_euclid(1_000).max(1).unsigned_abs();
        Err(ApiError::rate_limited(what, seconds))
    }

    /// A file added from the outside, as if uploaded; answers its id.
    pub fn add_file(&mut self, project: usize, filename: &str, text: &str, now: Millis) -> String {
        let order = self.order();
        let id = format!("file-{}", random::text(22));
        let file = File {
            id: id.clone(),
            filename: filename.to_owned(),
            purpose: "assistants".to_owned(),
            bytes: text.len(),
            created_at: now,
            expires_at: None,
            text: (text.len() <= self.retained_text).then(|| text.into()),
            stores: Vec::new(),
        };
        let project = &mut self.projects[project];
        project.file_order.insert(id.clone(), order);
        project.files.insert(order, file);
        id
    }

    /// A store entry for a file, with the end its indexing will come to.
    pub(super) fn entry(
        &mut self,
        project: usize,
        file: &str,
        attributes: Attributes,
        now: Millis,
    ) -> Option<Entry> {
        let order = self.order();
        let file = self.projects[project].file(file)?;
        let rule = self.rules.iter_mut().find(|rule| rule.fits(&file.filename, &attributes));
        let (outcome, delay) = match rule {
            Some(rule) => {
                rule.times = rule.times.map(|times| times - 1);
                (rule.outcome.clone(), rule.delay.unwrap_or(self.habits.indexing))
            }
            None => (Outcome::Completed, self.habits.indexing),
        };
        let ready_at = now + Millis::try_from(delay.as_millis()).unwrap_or(Millis::MAX / 2);
        Some(Entry::new(order, file, attributes, now, ready_at, outcome))
    }
}
