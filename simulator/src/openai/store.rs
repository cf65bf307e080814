//! A vector store with its entries, and batches of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::attributes::Attributes;
use super::entry::{Entry, Outcome, State};
use crate::clock::Millis;

/// How many files are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub in_progress: usize,
    pub completed: usize,
    pub failed: usize,
    pub cancelled: usize,
}

impl Counts {
    pub(super) fn of(states: impl Iterator<Item = State>) -> Self {
        let mut counts = Self::default();
        for state in states {
            *counts.slot(state) += 1;
        }
        counts
    }

    fn slot(&mut self, state: State) -> &mut usize {
        match state {
            State::InProgress => &mut self.in_progress,
            State::Completed => &mut self.completed,
            State::Failed => &mut self.failed,
            State::Cancelled => &mut self.cancelled,
        }
    }

    #[must_use]
    pub fn total(&self) -> usize {
        self.in_progress + self.completed + self.failed + self.cancelled
    }

    #[must_use]
    pub fn shape(&self) -> Value {
        json!({
            "in_progress": self.in_progress,
            "completed": self.completed,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "total": self.total(),
        })
    }
}

/// A vector store.
#[derive(Debug)]
pub struct Store {
    pub id: String,
    pub name: Option<String>,
    pub description: Option<String>,
    pub metadata: Attributes,
    pub created_at: Millis,
    pub last_active_at: Millis,
    /// Days after the last activity.
    pub expires_after_days: Option<i64>,
    pub counts: Counts,
    pub usage_bytes: usize,
    entries: BTreeMap<u64, Entry>,
    by_file: HashMap<String, u64>,
    pending: BTreeSet<(Millis, u64)>,
    /// Removed entries that search can still find, with the end of that.
    ghosts: Vec<(Millis, Entry)>,
}

impl Store {
    pub(super) fn new(id: String, now: Millis) -> Self {
        Self {
            id,
            name: None,
            description: None,
            metadata: Attributes::new(),
            created_at: now,
            last_active_at: now,
            expires_after_days: None,
            counts: Counts::default(),
            usage_bytes: 0,
            entries: BTreeMap::new(),
            by_file: HashMap::new(),
            pending: BTreeSet::new(),
            ghosts: Vec::new(),
        }
    }

    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn by_order(&self) -> &BTreeMap<u64, Entry> {
        &self.entries
    }

    #[must_use]
    pub fn entry(&self, file: &str) -> Option<&Entry> {
        self.entries.get(self.by_file.get(file)?)
    }

    pub(super) fn order_of(&self, file: &str) -> Option<u64> {
        self.by_file.get(file).copied()
    }

    pub(super) fn entry_mut(&mut self, file: &str) -> Option<&mut Entry> {
        self.entries.get_mut(self.by_file.get(file)?)
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        *self.counts.slot(entry.state) += 1;
        if entry.state == State::InProgress && entry.outcome != Outcome::Stuck {
            self.pending.insert((entry.ready_at, entry.order));
        }
        self.by_file.insert(entry.file.clone(), entry.order);
        self.entries.insert(entry.order, entry);
    }

    pub(super) fn remove(&mut self, file: &str) -> Option<Entry> {
        let entry = self.entries.remove(&self.by_file.remove(file)?)?;
        self.pending.remove(&(entry.ready_at, entry.order));
        *self.counts.slot(entry.state) -= 1;
        if entry.state == State::Completed {
            self.usage_bytes -= entry.bytes;
        }
        Some(entry)
    }

    pub(super) fn haunt(&mut self, entry: Entry, until: Millis) {
        self.ghosts.push((until, entry));
    }

    /// Gives up indexing of an entry.
    pub(super) fn cancel(&mut self, file: &str) {
        let Some(entry) = self.entry(file) else { return };
        if entry.state == State::InProgress {
            let (order, ready_at) = (entry.order, entry.ready_at);
            self.pending.remove(&(ready_at, order));
            self.turn(order, State::Cancelled);
        }
    }

    /// Ends the indexing whose time has come.
    pub(super) fn settle(&mut self, now: Millis) {
        self.ghosts.retain(|(until, _)| *until > now);
        while let Some(&(ready_at, order)) = self.pending.first() {
            if ready_at > now {
                break;
            }
            self.pending.pop_first();
            let failed = self.entries.get(&order).is_some_and(|entry| entry.outcome != Outcome::Completed);
            self.turn(order, if failed { State::Failed } else { State::Completed });
        }
    }

    fn turn(&mut self, order: u64, state: State) {
        let Some(entry) = self.entries.get_mut(&order) else { return };
        *self.counts.slot(entry.state) -= 1;
        entry.state = state;
        *self.counts.slot(state) += 1;
        if state == State::Completed {
            self.usage_bytes += entry.bytes;
        }
    }

    #[must_use]
    pub fn expires_at(&self) -> Option<Millis> {
        const DAY: Millis = 86_400_000;
        Some(self.last_active_at + self.expires_after_days? * DAY)
    }

    /// Entries that search finds: completed ones, and those removed a moment ago.
    pub(super) fn findable(&self) -> impl Iterator<Item = &Entry> {
        let ghosts = self.ghosts.iter().map(|(_, entry)| entry);
        self.entries.values().chain(ghosts).filter(|entry| entry.state == State::Completed)
    }

    /// The store as the API shows it.
    #[must_use]
    pub fn shape(&self, now: Millis) -> Value {
        let expired = self.expires_at().is_some_and(|at| at <= now);
        let status = match self.counts.in_progress {
            _ if expired => "expired",
            0 => "completed",
            _ => "in_progress",
        };
        let expires_after =
            self.expires_after_days.map(|days| json!({"anchor": "last_active_at", "days": days}));
        json!({
            "id": self.id,
            "object": "vector_store",
            "created_at": self.created_at.div_euclid(1_000),
            "name": self.name,
            "description": self.description,
            "usage_bytes": self.usage_bytes,
            "file_counts": self.counts.shape(),
            "status": status,
            "expires_after": expires_after,
            "expires_at": self.expires_at().map(|at| at.div_euclid(1_000)),
            "last_active_at": self.last_active_at.div_euclid(1_000),
            "metadata": self.metadata,
        })
    }
}

/// Files attached with one request.
#[derive(Debug, Clone)]
pub struct Batch {
    pub id: String,
    pub store: String,
    pub created_at: Millis,
    pub cancelled: bool,
    /// File ids in the order given.
    pub files: Vec<String>,
}

impl Batch {
    /// How its files stand; those removed from the store since do not count.
    #[must_use]
    pub fn counts(&self, store: &Store) -> Counts {
        Counts::of(self.files.iter().filter_map(|file| store.entry(file)).map(|entry| entry.state))
    }

    #[must_use]
    pub fn shape(&self, store: &Store) -> Value {
        let counts = self.counts(store);
        let status = match counts {
            _ if self.cancelled => "cancelled",
            Counts { in_progress: 1.., .. } => "in_progress",
            Counts { completed: 0, failed: 1.., .. } => "failed",
            _ => "completed",
        };
        json!({
            "id": self.id,
            "object": "vector_store.files_batch",
            "created_at": self.created_at.div_euclid(1_000),
            "vector_store_id": self.store,
            "status": status,
            "file_counts": counts.shape(),
        })
    }
}
