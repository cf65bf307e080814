//! A set of page ids that takes little memory: ids are numbers, though they are kept as text elsewhere.

use std::collections::HashSet;

/// The ids of pages that were seen.
#[derive(Debug, Default)]
pub struct PageIds {
    numbers: HashSet<u64>,
    others: HashSet<String>,
}

impl PageIds {
    /// Adds an id.
    pub fn insert(&mut self, id: &str) {
        match number(id) {
            Some(number) => self.numbers.insert(number),
            None => self.others.insert(id.to_owned()),
        };
    }

    /// Whether an id was added.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        number(id).map_or_else(|| self.others.contains(id), |number| self.numbers.contains(&number))
    }
}

/// The number that `id` is written as, if it can be written in no other way.
fn number(id: &str) -> Option<u64> {
    if id.starts_with(['0', '+']) { None } else { id.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_look_alike_stay_apart() {
        let mut ids = PageIds::default();
        ids.insert("7");
        ids.insert("att12");
        ids.insert("18446744073709551616");
        assert!(ids.contains("7") && ids.contains("att12") && ids.contains("18446744073709551616"));
        assert!(!ids.contains("07") && !ids.contains("+7") && !ids.contains("12"));
    }
}
