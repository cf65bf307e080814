//! Questions to a site: who sees what, sorted listings of pages, children, descendants and ancestors.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::node::{Id, Kind, Node, Space, Status, folded};
use super::site::Site;
use crate::clock::Millis;

/// What a page listing is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortField {
    Id,
    Created,
    Modified,
    Title,
}

/// Where a page stands in a sorted listing: a number or a title, then the id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SortKey {
    Number(Millis, Id),
    Text(String, Id),
}

/// A listing of pages.
#[derive(Debug, Clone)]
pub struct PageQuery {
    pub ids: Option<Vec<Id>>,
    pub spaces: Option<Vec<Id>>,
    pub statuses: Vec<Status>,
    pub title: Option<String>,
    /// Only pages at the top of their space.
    pub top_only: bool,
    pub sort: SortField,
    pub descending: bool,
}

/// Where a listing goes on.
#[derive(Debug, Clone)]
pub enum From {
    Start,
    After(SortKey),
    Offset(usize),
}

type Keys<'a> = Box<dyn Iterator<Item = (SortKey, Id)> + 'a>;

impl Site {
    /// Whether this account sees the node: its space, itself and all above it.
    #[must_use]
    pub fn visible(&self, node: &Node, account: &str) -> bool {
        if self.restrictions == 0 {
            return true;
        }
        let readable = |node: &Node| node.readers.as_ref().is_none_or(|readers| readers.contains(account));
        self.spaces.get(&node.space).is_some_and(|space| space.visible_to(account))
            && readable(node)
            && self.above(node).all(readable)
    }

    /// The node with this id, if the account sees it.
    #[must_use]
    pub fn seen(&self, id: Id, account: &str) -> Option<&Node> {
        self.nodes.get(&id).filter(|node| self.visible(node, account))
    }

    /// Parents, nearest first.
    pub fn above<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        std::iter::successors(self.parent(node), |node| self.parent(node))
    }

    fn parent(&self, node: &Node) -> Option<&Node> {
        self.nodes.get(&node.parent?)
    }

    /// Up to `count` pages of a listing with their keys.
    #[must_use]
    pub fn pages(
        &self,
        query: &PageQuery,
        account: &str,
        from: &From,
        count: usize,
    ) -> Vec<(SortKey, &Node)> {
        let after = match from {
            From::After(key) => Some(key),
            _ => None,
        };
        let skip = match from {
            From::Offset(offset) => *offset,
            _ => 0,
        };
        let fits = |node: &Node| {
            query.statuses.contains(&node.status)
                && query.spaces.as_ref().is_none_or(|spaces| spaces.contains(&node.space))
                && query.title.as_ref().is_none_or(|title| folded(title) == folded(&node.title))
                && (!query.top_only || node.parent.is_none())
                && self.visible(node, account)
        };
        self.keys(query, after)
            .filter_map(|(key, id)| Some((key, self.nodes.get(&id)?)))
            .filter(|(_, node)| fits(node))
            .skip(skip)
            .take(count)
            .collect()
    }

    fn keys<'a>(&'a self, query: &'a PageQuery, after: Option<&'a SortKey>) -> Keys<'a> {
        if let Some(ids) = &query.ids {
            return few(self.keys_of(ids.iter().copied(), query.sort), query.descending, after);
        }
        let all: Vec<Id>;
        let spaces = if let Some(spaces) = &query.spaces {
            spaces
        } else {
            all = self.spaces.keys().copied().collect();
            &all
        };
        let mut spaces: Vec<&Space> = spaces.iter().filter_map(|id| self.spaces.get(id)).collect();
        spaces.sort_unstable_by_key(|space| space.id);
        spaces.dedup_by_key(|space| space.id);
        if let Some(title) = &query.title {
            let ids = spaces.iter().filter_map(|space| space.index.titles.get(&folded(title)).copied());
            return few(self.keys_of(ids, query.sort), query.descending, after);
        }
        let mut runs: Vec<Keys<'a>> =
            spaces.into_iter().map(|space| run(space, query.sort, query.descending, after)).collect();
        match runs.len() {
            1 => runs.remove(0),
            _ => Box::new(Merge {
                runs: runs.into_iter().map(Iterator::peekable).collect(),
                descending: query.descending,
            }),
        }
    }

    fn keys_of(&self, ids: impl Iterator<Item = Id>, sort: SortField) -> Vec<(SortKey, Id)> {
        let mut keys: Vec<_> = ids
            .filter_map(|id| self.nodes.get(&id))
            .filter(|node| node.kind == Kind::Page)
            .map(|node| (key_of(node, sort), node.id))
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Children in order, without the trashed and drafts.
    pub fn children_of<'a>(&'a self, id: Id, account: &'a str) -> impl Iterator<Item = &'a Node> {
        let children = self.children.get(&id).into_iter().flatten();
        children.filter_map(|(_, child)| self.nodes.get(child)).filter(move |child| {
            matches!(child.status, Status::Current | Status::Archived) && self.visible(child, account)
        })
    }

    /// What is below a node down to `depth` levels, level by level, each with its depth.
    #[must_use]
    pub fn descendants<'a>(&'a self, id: Id, depth: u32, account: &'a str) -> Vec<(u32, &'a Node)> {
        let mut found: Vec<(u32, &Node)> = self.children_of(id, account).map(|child| (1, child)).collect();
        let mut next = 0;
        while let Some(&(level, node)) = found.get(next) {
            if level < depth {
                found.extend(self.children_of(node.id, account).map(|child| (level + 1, child)));
            }
            next += 1;
        }
        found
    }
}

fn key_of(node: &Node, sort: SortField) -> SortKey {
    match sort {
        SortField::Id => SortKey::Number(0, node.id),
        SortField::Created => SortKey::Number(node.created_at, node.id),
        SortField::Modified => SortKey::Number(node.version.at, node.id),
        SortField::Title => SortKey::Text(folded(&node.title), node.id),
    }
}

fn few(keys: Vec<(SortKey, Id)>, descending: bool, after: Option<&SortKey>) -> Keys<'_> {
    let behind =
        move |key: &SortKey| after.is_none_or(|after| if descending { key < after } else { key > after });
    let keys = keys.into_iter();
    if descending {
        Box::new(keys.rev().filter(move |(key, _)| behind(key)))
    } else {
        Box::new(keys.filter(move |(key, _)| behind(key)))
    }
}

/// One space's pages in order, starting behind `after`.
fn run<'a>(space: &'a Space, sort: SortField, descending: bool, after: Option<&SortKey>) -> Keys<'a> {
    let index = &space.index;
    let number = match after {
        Some(SortKey::Number(number, id)) => Some((*number, *id)),
        _ => None,
    };
    match sort {
        SortField::Id => {
            let range = index.ids.range(bounds(number.map(|(_, id)| id), descending)).copied();
            directed(range.map(|id| (SortKey::Number(0, id), id)), descending)
        }
        SortField::Created => {
            let range = index.created.range(bounds(number, descending));
            directed(range.map(|&(at, id)| (SortKey::Number(at, id), id)), descending)
        }
        SortField::Modified => {
            let range = index.modified.range(bounds(number, descending));
            directed(range.map(|&(at, id)| (SortKey::Number(at, id), id)), descending)
        }
        SortField::Title => {
            let (text, last) = match after {
                Some(SortKey::Text(text, id)) => (Some(text.clone()), Some(*id)),
                _ => (None, None),
            };
            let bounds = match text {
                None => (Bound::Unbounded, Bound::Unbounded),
                Some(text) if descending => (Bound::Unbounded, Bound::Included(text)),
                Some(text) => (Bound::Included(text), Bound::Unbounded),
            };
            let after = after.cloned();
            let range =
                index.titles.range(bounds).map(|(title, id)| (SortKey::Text(title.clone(), *id), *id));
            let behind = move |key: &SortKey| match (&after, last) {
                (Some(after), Some(_)) if descending => key < after,
                (Some(after), Some(_)) => key > after,
                _ => true,
            };
            directed(range.filter(move |(key, _)| behind(key)), descending)
        }
    }
}

fn bounds<K>(after: Option<K>, descending: bool) -> (Bound<K>, Bound<K>) {
    match after {
        None => (Bound::Unbounded, Bound::Unbounded),
        Some(key) if descending => (Bound::Unbounded, Bound::Excluded(key)),
        Some(key) => (Bound::Excluded(key), Bound::Unbounded),
    }
}

fn directed<'a>(keys: impl DoubleEndedIterator<Item = (SortKey, Id)> + 'a, descending: bool) -> Keys<'a> {
    if descending { Box::new(keys.rev()) } else { Box::new(keys) }
}

/// Several sorted runs as one.
struct Merge<'a> {
    runs: Vec<Peekable<Keys<'a>>>,
    descending: bool,
}

impl Iterator for Merge<'_> {
    type Item = (SortKey, Id);

    fn next(&mut self) -> Option<Self::Item> {
        let wanted = if self.descending { Ordering::Greater } else { Ordering::Less };
        let mut best: Option<(usize, SortKey)> = None;
        for (at, run) in self.runs.iter_mut().enumerate() {
            let Some((key, _)) = run.peek() else { continue };
            if best.as_ref().is_none_or(|(_, best)| key.cmp(best) == wanted) {
                best = Some((at, key.clone()));
            }
        }
        self.runs[best?.0].next()
    }
}
