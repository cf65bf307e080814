//! What a vendor counts for all processes of an installation together: each takes its part of it.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many live processes there are; one until it is known otherwise.
#[derive(Clone, Debug, Default)]
pub struct Replicas(Arc<AtomicU32>);

impl Replicas {
    /// So many are alive now.
    pub fn set(&self, alive: u32) {
        self.0.store(alive, Ordering::Relaxed);
    }

    /// How many are alive, but `most` at the most.
    #[must_use]
    pub fn at_most(&self, most: NonZeroU32) -> NonZeroU32 {
        NonZeroU32::new(self.0.load(Ordering::Relaxed)).unwrap_or(NonZeroU32::MIN).min(most)
    }
}

/// So many calls at once, shared by all processes: with three of them, each call takes the room of three.
#[derive(Clone, Debug)]
pub struct Room {
    size: NonZeroU32,
    free: Arc<Semaphore>,
    replicas: Replicas,
}

/// A call that takes place until this is dropped.
#[derive(Debug)]
pub struct Place {
    _taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for `size` calls at once.
    #[must_use]
    pub fn new(size: NonZeroU32, replicas: Replicas) -> Self {
        Self { size, free: Arc::new(Semaphore::new(size.get() as usize)), replicas }
    }

    /// Waits for a place: who came first goes in first.
    pub async fn enter(&self) -> Place {
        let part = self.replicas.at_most(self.size).get();
        // A room is never closed.
        Place { _taken: Arc::clone(&self.free).acquire_many_owned(part).await.ok() }
    }
}

/// Things by name, each made when it is first asked for.
#[derive(Debug)]
pub struct Shared<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Shared<T> {
    /// The one of that name.
    pub fn get(&self, name: &str, make: impl FnOnce() -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(name.to_owned()).or_insert_with(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn processes_share_a_room() {
        let replicas = Replicas::default();
        let room = Room::new(NonZeroU32::new(7).unwrap(), replicas.clone());
        let alone: Vec<Place> = std::iter::from_fn(|| room.enter().now_or_never()).collect();
        assert_eq!(alone.len(), 7);
        drop(alone);

        replicas.set(3);
        let among_three: Vec<Place> = std::iter::from_fn(|| room.enter().now_or_never()).collect();
        assert_eq!(among_three.len(), 2, "three processes make six calls at once");
        drop(among_three);

        replicas.set(1_000);
        let crowded: Vec<Place> = std::iter::from_fn(|| room.enter().now_or_never()).collect();
        assert_eq!(crowded.len(), 1, "one call goes in, however many processes there are");
    }
}
