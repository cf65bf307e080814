//! Which selection decides over a page: the most specific one, and an exclusion where two are alike.
//!
//! * A selection of the page itself beats a tree or folder, a tree or folder beats a space.
//! * Of the trees around a page the nearest decides: the one whose root lies inside the others.

use std::collections::{HashMap, HashSet};

use super::facts::Verdict;
use crate::{
    entity::selection::{Model as Selection, SelectionKind, SelectionMode},
    ids::SelectionId,
};

/// Everything below one selected page or folder, as it was listed in this sync.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The selection that names the root.
    pub selection: SelectionId,
    /// The root's id.
    pub root: String,
    /// Whether its pages are wanted.
    pub mode: SelectionMode,
    /// The ids of the pages in it; of a page tree the root, too.
    pub pages: HashSet<String>,
    /// The ids of folders and whatever else is in it.
    pub others: HashSet<String>,
}

impl Tree {
    fn holds(&self, id: &str) -> bool {
        self.pages.contains(id) || self.others.contains(id)
    }
}

/// The selections of a source, ready to be asked about single pages.
#[derive(Debug, Default)]
pub struct Scopes {
    pages: HashMap<String, Verdict>,
    trees: HashMap<String, Verdict>,
    spaces: HashMap<String, Verdict>,
}

impl Scopes {
    /// Builds the answers from the selections and the trees that were listed.
    #[must_use]
    pub fn new(selections: &[Selection], mut trees: Vec<Tree>) -> Self {
        let mut scopes = Self::default();
        for selection in selections {
            let verdict = verdict(selection.id, selection.mode);
            match selection.kind {
                SelectionKind::Page => scopes.pages.insert(selection.external_id.clone(), verdict),
                SelectionKind::Space => scopes.spaces.insert(selection.external_id.clone(), verdict),
                SelectionKind::PageTree | SelectionKind::Folder => None,
            };
        }
        let around = |root: &str| trees.iter().filter(|tree| tree.root != root && tree.holds(root)).count();
        let depths: HashMap<String, usize> =
            trees.iter().map(|tree| (tree.root.clone(), around(&tree.root))).collect();
        trees.sort_by_key(|tree| (depths[&tree.root], tree.mode == SelectionMode::Exclude));
        for tree in trees {
            let verdict = verdict(tree.selection, tree.mode);
            scopes.trees.extend(tree.pages.into_iter().map(|id| (id, verdict)));
        }
        scopes
    }

    /// What the selections say of a page in a space.
    #[must_use]
    pub fn verdict(&self, page_id: &str, space_id: &str) -> Verdict {
        let found =
            self.pages.get(page_id).or_else(|| self.trees.get(page_id)).or_else(|| self.spaces.get(space_id));
        found.copied().unwrap_or(Verdict::Outside)
    }

    /// The pages that a listed tree holds and that are wanted.
    pub fn wanted_in_trees(&self) -> impl Iterator<Item = &str> {
        self.trees
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Wanted(_)))
            .map(|(id, _)| id.as_str())
    }
}

fn verdict(selection: SelectionId, mode: SelectionMode) -> Verdict {
    match mode {
        SelectionMode::Include => Verdict::Wanted(selection),
        SelectionMode::Exclude => Verdict::Excluded(selection),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{entity::selection::SelectionStatus, ids::SourceId};

    fn selection(kind: SelectionKind, mode: SelectionMode, external_id: &str) -> Selection {
        Selection {
            id: SelectionId::new(),
            source_id: SourceId::new(),
            kind,
            mode,
            external_id: external_id.to_owned(),
            title: String::new(),
            space_id: None,
            status: SelectionStatus::Ok,
            problem_since: None,
            verified_at: None,
            listing: None,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn tree(selection: &Selection, pages: &[&str]) -> Tree {
        Tree {
            selection: selection.id,
            root: selection.external_id.clone(),
            mode: selection.mode,
            pages: pages.iter().map(|&id| id.to_owned()).collect(),
            others: HashSet::new(),
        }
    }

    #[test]
    fn the_most_specific_selection_decides() {
        let space = selection(SelectionKind::Space, SelectionMode::Include, "S");
        let outer = selection(SelectionKind::PageTree, SelectionMode::Exclude, "1");
        let inner = selection(SelectionKind::PageTree, SelectionMode::Include, "2");
        let page = selection(SelectionKind::Page, SelectionMode::Exclude, "3");
        let all = [space.clone(), outer.clone(), inner.clone(), page.clone()];
        let trees = vec![tree(&inner, &["2", "3", "4"]), tree(&outer, &["1", "2", "3", "4", "5"])];
        let scopes = Scopes::new(&all, trees);

        assert_eq!(scopes.verdict("9", "S"), Verdict::Wanted(space.id));
        assert_eq!(scopes.verdict("1", "S"), Verdict::Excluded(outer.id));
        assert_eq!(scopes.verdict("5", "S"), Verdict::Excluded(outer.id));
        assert_eq!(scopes.verdict("2", "S"), Verdict::Wanted(inner.id));
        assert_eq!(scopes.verdict("4", "S"), Verdict::Wanted(inner.id));
        assert_eq!(scopes.verdict("3", "S"), Verdict::Excluded(page.id));
        assert_eq!(scopes.verdict("9", "T"), Verdict::Outside);
    }

    #[test]
    fn a_page_selection_follows_its_page_into_any_space() {
        let page = selection(SelectionKind::Page, SelectionMode::Include, "7");
        let scopes = Scopes::new(std::slice::from_ref(&page), Vec::new());
        assert_eq!(scopes.verdict("7", "anywhere"), Verdict::Wanted(page.id));
    }
}
