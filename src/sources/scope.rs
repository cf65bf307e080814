//! Which pages selections want, as far as what is stored about the pages tells: pure, and never in favour of removing.
//!
//! * The most specific selection decides: the page's own, else the nearest tree or folder above, else the space.
//! * Where the chain of parents is not known to its top, the tree or folder that brought a page in still covers it.

use std::collections::HashMap;

use super::store::Placed;
use crate::{
    entity::selection::{self, SelectionKind, SelectionMode},
    ids::SelectionId,
};

/// Longer chains than Confluence allows, so that a circle ends.
const DEEPEST: usize = 1000;

/// How many pages whose text is in the store would leave it under `selections`.
#[must_use]
pub fn count_leaving(
    pages: &[Placed],
    other_nodes: &[(String, Option<String>)],
    selections: &[selection::Model],
) -> usize {
    let scope = Scope::new(pages, other_nodes, selections);
    pages.iter().filter(|page| page.live_version.is_some() && !scope.wants(page)).count()
}

struct Scope<'a> {
    parents: HashMap<&'a str, Option<&'a str>>,
    chosen: HashMap<(SelectionKind, &'a str), SelectionMode>,
    including_trees: HashMap<SelectionId, SelectionMode>,
}

impl<'a> Scope<'a> {
    fn new(
        pages: &'a [Placed],
        other_nodes: &'a [(String, Option<String>)],
        selections: &'a [selection::Model],
    ) -> Self {
        let pages = pages.iter().map(|page| (page.external_id.as_str(), page.parent_id.as_deref()));
        let others = other_nodes.iter().map(|(id, parent)| (id.as_str(), parent.as_deref()));
        let is_tree = |selection: &&selection::Model| {
            matches!(selection.kind, SelectionKind::PageTree | SelectionKind::Folder)
        };
        Self {
            parents: others.chain(pages).collect(),
            chosen: selections.iter().map(|s| ((s.kind, s.external_id.as_str()), s.mode)).collect(),
            including_trees: selections.iter().filter(is_tree).map(|s| (s.id, s.mode)).collect(),
        }
    }

    fn wants(&self, page: &Placed) -> bool {
        let mode = self
            .chosen(SelectionKind::Page, &page.external_id)
            .or_else(|| self.nearest_tree(page))
            .or_else(|| self.chosen(SelectionKind::Space, &page.space_id));
        mode == Some(SelectionMode::Include)
    }

    fn chosen(&self, kind: SelectionKind, id: &str) -> Option<SelectionMode> {
        self.chosen.get(&(kind, id)).copied()
    }

    fn nearest_tree(&self, page: &Placed) -> Option<SelectionMode> {
        let mut node = page.external_id.as_str();
        for _ in 0..DEEPEST {
            let here =
                self.chosen(SelectionKind::PageTree, node).or(self.chosen(SelectionKind::Folder, node));
            if here.is_some() {
                return here;
            }
            match self.parents.get(node) {
                Some(Some(parent)) => node = parent,
                Some(None) => return None,
                None => break,
            }
        }
        self.including_trees.get(&page.selection_id?).copied()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{entity::selection::SelectionStatus, ids::SourceId};

    fn select(kind: SelectionKind, id: &str, mode: SelectionMode) -> selection::Model {
        selection::Model {
            id: SelectionId::new(),
            source_id: SourceId::new(),
            kind,
            mode,
            external_id: id.to_owned(),
            title: String::new(),
            space_id: None,
            status: SelectionStatus::Ok,
            problem_since: None,
            verified_at: None,
            listing: None,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn include(kind: SelectionKind, id: &str) -> selection::Model {
        select(kind, id, SelectionMode::Include)
    }

    fn exclude(kind: SelectionKind, id: &str) -> selection::Model {
        select(kind, id, SelectionMode::Exclude)
    }

    fn page(id: &str, parent: Option<&str>, by: Option<&selection::Model>) -> Placed {
        Placed {
            external_id: id.to_owned(),
            parent_id: parent.map(str::to_owned),
            space_id: "S".to_owned(),
            selection_id: by.map(|selection| selection.id),
            live_version: Some(1),
        }
    }

    use SelectionKind::{Folder, Page, PageTree, Space};

    #[test]
    fn a_page_stays_while_anything_certainly_covers_it() {
        let tree = include(PageTree, "1");
        let pages = [page("1", None, Some(&tree)), page("2", Some("1"), Some(&tree))];
        assert_eq!(count_leaving(&pages, &[], &[]), 2);
        assert_eq!(count_leaving(&pages, &[], &[include(Page, "2")]), 1);
        assert_eq!(count_leaving(&pages, &[], &[include(Space, "S")]), 0);
        assert_eq!(count_leaving(&pages, &[], &[include(Space, "T")]), 2);
        assert_eq!(count_leaving(&pages, &[], &[include(PageTree, "1")]), 0);
        assert_eq!(count_leaving(&pages, &[], &[include(PageTree, "2")]), 1);
    }

    #[test]
    fn the_most_specific_selection_decides() {
        let space = include(Space, "S");
        let by = Some(&space);
        let pages = [page("1", None, by), page("2", Some("1"), by), page("3", Some("2"), by)];
        let cut = exclude(PageTree, "2");
        assert_eq!(count_leaving(&pages, &[], &[space.clone(), cut.clone()]), 2);
        assert_eq!(count_leaving(&pages, &[], &[space.clone(), cut, include(Page, "3")]), 1);
        assert_eq!(count_leaving(&pages, &[], &[space.clone(), exclude(Page, "1")]), 1);
    }

    #[test]
    fn folders_between_pages_are_part_of_the_chain() {
        let folder = include(Folder, "f");
        let pages = [page("1", Some("g"), Some(&folder))];
        let nodes = [("g".to_owned(), Some("f".to_owned())), ("f".to_owned(), None)];
        assert_eq!(count_leaving(&pages, &nodes, std::slice::from_ref(&folder)), 0);
        assert_eq!(count_leaving(&pages, &nodes, &[include(Space, "S"), exclude(Folder, "f")]), 1);
        assert_eq!(count_leaving(&pages, &nodes, &[]), 1);
    }

    #[test]
    fn an_unknown_part_of_the_chain_never_makes_a_page_leave() {
        let tree = include(PageTree, "1");
        let pages = [page("3", Some("unknown"), Some(&tree))];
        assert_eq!(count_leaving(&pages, &[], std::slice::from_ref(&tree)), 0);
        assert_eq!(count_leaving(&pages, &[], &[]), 1, "but what brought it in has gone");
    }

    #[test]
    fn a_page_that_is_not_in_the_store_cannot_leave_and_a_circle_ends() {
        let absent = Placed { live_version: None, ..page("1", None, None) };
        let circle = [absent, page("2", Some("3"), None), page("3", Some("2"), None)];
        assert_eq!(count_leaving(&circle, &[], &[]), 2);
    }
}
