//! A wiki in which people are busy, and what it says at each moment.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use simulator::{Id, SiteHandle};

/// How few pages a space has while people trash some: a guard asks before many of few go.
const FEWEST: usize = 12;

/// A page as it is now.
struct Page {
    space: Id,
    title: String,
    body: String,
}

/// Spaces of a site, and the people who work there: the same ones for the same seed.
pub struct Wiki {
    site: SiteHandle,
    pub spaces: Vec<Id>,
    pages: BTreeMap<Id, Page>,
    random: StdRng,
    said: usize,
}

impl Wiki {
    /// Adds spaces of so many pages each.
    pub fn found(site: &SiteHandle, spaces: usize, pages: usize, seed: u64) -> Self {
        let add = |n: usize| site.add_space(&format!("S{n}"), &format!("Space {n}")).unwrap();
        let spaces: Vec<Id> = (0..spaces).map(add).collect();
        let random = StdRng::seed_from_u64(seed);
        let mut wiki = Self { site: site.clone(), spaces, pages: BTreeMap::new(), random, said: 0 };
        for space in wiki.spaces.clone() {
            (0..pages).for_each(|_| wiki.add(space));
        }
        wiki
    }

    /// Somebody edits a page, renames one, or adds one and trashes another. Moves: see the model test.
    pub fn change(&mut self) {
        let space = self.spaces[self.random.random_range(0..self.spaces.len())];
        let there: Vec<Id> =
            self.pages.iter().filter(|(_, page)| page.space == space).map(|(id, _)| *id).collect();
        let id = there[self.random.random_range(0..there.len())];
        let word = self.word();
        match self.random.random_range(0..10) {
            0 => {
                self.add(space);
                if there.len() > FEWEST {
                    self.site.trash(id).unwrap();
                    self.pages.remove(&id);
                }
            }
            1 => {
                self.site.rename(id, &word).unwrap();
                self.pages.get_mut(&id).unwrap().title = word;
            }
            _ => {
                self.site.edit(id, format!("<p>{word}</p>")).unwrap();
                self.pages.get_mut(&id).unwrap().body = word;
            }
        }
    }

    /// The text that each page of these spaces shall have in a store.
    pub fn texts(&self, spaces: &[Id]) -> BTreeMap<String, String> {
        let of = self.pages.iter().filter(|(_, page)| spaces.contains(&page.space));
        of.map(|(id, page)| (id.to_string(), format!("# {}\n\n{}\n", page.title, page.body))).collect()
    }

    fn add(&mut self, space: Id) {
        let (title, body) = (self.word(), self.word());
        let id = self.site.add_page(space, &title, format!("<p>{body}</p>")).unwrap();
        self.pages.insert(id, Page { space, title, body });
    }

    /// What nobody has said before.
    fn word(&mut self) -> String {
        self.said += 1;
        format!("Word {}", self.said)
    }
}
