//! The faults in force, and which of them hit an arriving call.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::{Action, Arriving, Fault};

/// A fault in force, as the control API lists it.
#[derive(Debug, Serialize)]
pub struct Armed {
    pub id: u64,
    pub matched: u32,
    pub hits: u32,
    pub fault: Fault,
    #[serde(skip)]
    random: StdRng,
}

#[derive(Debug, Default)]
struct Board {
    last_id: u64,
    armed: Vec<Armed>,
}

/// All faults in force.
#[derive(Debug, Default)]
pub struct Switches(Mutex<Board>);

impl Switches {
    /// Puts a fault in force; the number switches it off again.
    pub fn set(&self, fault: Fault) -> u64 {
        let mut board = self.board();
        board.last_id += 1;
        let id = board.last_id;
        let random = StdRng::seed_from_u64(fault.seed);
        board.armed.push(Armed { id, matched: 0, hits: 0, fault, random });
        id
    }

    /// Switches one fault off; false when there is none of this number.
    pub fn remove(&self, id: u64) -> bool {
        let mut board = self.board();
        let before = board.armed.len();
        board.armed.retain(|armed| armed.id != id);
        board.armed.len() != before
    }

    pub fn clear(&self) {
        self.board().armed.clear();
    }

    /// How many calls a fault has hit.
    #[must_use]
    pub fn hits(&self, id: u64) -> u32 {
        self.board().armed.iter().find(|armed| armed.id == id).map_or(0, |armed| armed.hits)
    }

    /// Calls `read` with the faults in force.
    pub fn read<T>(&self, read: impl FnOnce(&[Armed]) -> T) -> T {
        read(&self.board().armed)
    }

    pub(crate) fn hit(&self, call: &Arriving<'_>) -> Vec<Action> {
        let mut board = self.board();
        if board.armed.is_empty() {
            return Vec::new();
        }
        board.armed.iter_mut().filter_map(|armed| armed.hit(call)).collect()
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    fn hit(&mut self, call: &Arriving<'_>) -> Option<Action> {
        if !self.fault.matches(call) {
            return None;
        }
        self.matched += 1;
        if self.matched <= self.fault.skip || self.fault.times.is_some_and(|times| self.hits >= times) {
            return None;
        }
        if let Some(probability) = self.fault.probability
            && !self.random.random_bool(probability.clamp(0.0, 1.0))
        {
            return None;
        }
        self.hits += 1;
        Some(self.fault.action.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Vendor;

    fn listing(page: u32) -> Arriving<'static> {
        Arriving {
            vendor: Vendor::Confluence,
            method: "GET",
            path: "/wiki/api/v2/pages/12",
            route: "/wiki/api/v2/pages/{id}",
            query: "body-format=storage",
            page,
        }
    }

    #[test]
    fn a_fault_hits_after_skip_and_at_most_times() {
        let switches = Switches::default();
        let id = switches.set(Fault::on("GET", "/wiki/api/v2/pages/{id}").skip(1).times(2).status(503));
        let hits: Vec<bool> = (0..5).map(|_| !switches.hit(&listing(1)).is_empty()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(switches.hits(id), 2);
    }

    #[test]
    fn every_condition_must_hold() {
        let hits = |fault: Fault| {
            let switches = Switches::default();
            switches.set(fault);
            !switches.hit(&listing(2)).is_empty()
        };
        assert!(hits(Fault::on("get", "/wiki/api/v2/pages/*").page(2).query("body-format").drop_before()));
        assert!(!hits(Fault::on("POST", "*").drop_before()));
        assert!(!hits(Fault::on("*", "*").page(1).drop_before()));
        assert!(!hits(Fault::on("*", "*").query("cursor").drop_before()));
        assert!(!hits(Fault::at(Vendor::OpenAi).drop_before()));
    }

    #[test]
    fn the_same_seed_hits_the_same_calls() {
        let pattern = |seed| {
            let switches = Switches::default();
            switches.set(Fault::at(Vendor::Confluence).probability(0.5, seed).drop_before());
            (0..64).map(|_| switches.hit(&listing(1)).len()).collect::<Vec<_>>()
        };
        assert_eq!(pattern(3), pattern(3));
        assert_ne!(pattern(3), pattern(4));
        let hits: usize = pattern(3).iter().sum();
        assert!((16..48).contains(&hits), "{hits} of 64");
    }
}
