//! Walks the selected page trees and folders: which pages are below them now.

use futures_util::FutureExt;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Observation;
use crate::{
    confluence::{self, Listing, MOST_IDS, Node, NodeKind, Page, Status},
    engine::{
        facts::Coverage,
        scope::Tree,
        stop::Stop,
        store::{nodes::Above, observed},
    },
    entity::{
        Problem,
        selection::{self, SelectionKind, SelectionMode, SelectionStatus},
    },
};

/// What became of the page or folder that names a tree.
enum Root {
    /// It is there, in this space.
    Here(Option<String>),
    Gone,
    Unknown,
}

/// A tree that was listed, and Confluence's time when that began.
type Walked = (Tree, Option<DateTime<Utc>>);

/// What listing a tree gave.
enum Below {
    All(Walked),
    /// More than an hour's points are enough for.
    TooMuch,
    Broken(confluence::Error),
}

/// How long a tree is left alone that is too large.
const PUT_OFF: TimeDelta = TimeDelta::hours(24);

fn too_large(title: &str) -> Problem {
    Problem::new(
        "tree_too_large",
        format!("An hour's Confluence points are not enough to list the tree below '{title}'."),
        "Select the space or smaller trees, or connect with an API token.",
    )
}

impl Observation<'_> {
    /// Lists the trees whose turn it is, exclusions first. Trees that could not be listed are left out and noted.
    pub(super) async fn walk_trees(&mut self) -> Result<Vec<Tree>, Stop> {
        let mut due: Vec<selection::Model> = self
            .of_kind(SelectionKind::PageTree)
            .chain(self.of_kind(SelectionKind::Folder))
            .filter(|selection| self.force_trees || self.is_due(selection))
            .cloned()
            .collect();
        due.sort_by_key(|selection| (selection.mode == SelectionMode::Include, selection.id));
        let page_roots = self.page_roots(&due).await?;
        let mut trees = Vec::new();
        for selection in due {
            if self.run.is_halted() {
                return Err(Stop::HandOver);
            }
            let (coverage, walked) = if self.is_put_off(&selection) {
                self.run.note_trouble(Stop::failed(too_large(&selection.title)));
                (Coverage::Partial, None)
            } else {
                self.walk_tree(&selection, &page_roots).await?
            };
            if coverage == Coverage::Partial && selection.mode == SelectionMode::Exclude {
                self.closed_spaces.extend(selection.space_id.clone());
            }
            self.coverage.insert(selection.id, coverage);
            if let (SelectionMode::Exclude, Some((tree, _))) = (selection.mode, &walked) {
                let nodes = tree.pages.len() + tree.others.len();
                self.points_of_exclusions += (nodes + nodes.div_ceil(250)) as u64;
            }
            if let Some((tree, Some(date))) = &walked {
                self.tree_dates.insert(tree.selection, *date);
            }
            trees.extend(walked.map(|(tree, _)| tree));
        }
        Ok(trees)
    }

    /// Whether a tree is walked now. Exclusions are, as soon as anything is listed that they may be inside of.
    fn is_due(&self, tree: &selection::Model) -> bool {
        let now = self.run.now();
        let is_listed = |selection: &selection::Model| {
            selection.mode == SelectionMode::Include
                && match selection.kind {
                    SelectionKind::Page => false,
                    SelectionKind::Space => self.budget.share(selection, now).is_some(),
                    SelectionKind::PageTree | SelectionKind::Folder => self.budget.allows(selection, now),
                }
        };
        match tree.mode {
            SelectionMode::Include => self.budget.allows(tree, now),
            SelectionMode::Exclude => tree.verified_at.is_none() || self.selections.iter().any(is_listed),
        }
    }

    /// The roots of page trees, read in bulk with every status they may have.
    async fn page_roots(&self, due: &[selection::Model]) -> Result<HashMap<String, Page>, Stop> {
        let ids: Vec<String> =
            due.iter().filter(|s| s.kind == SelectionKind::PageTree).map(|s| s.external_id.clone()).collect();
        let mut roots = HashMap::new();
        for some in ids.chunks(MOST_IDS) {
            let pages =
                self.pages_by_id(some, &[Status::Current, Status::Archived, Status::Trashed]).await??;
            roots.extend(pages.into_iter().map(|page| (page.id.clone(), page)));
        }
        Ok(roots)
    }

    async fn walk_tree(
        &self,
        selection: &selection::Model,
        page_roots: &HashMap<String, Page>,
    ) -> Result<(Coverage, Option<Walked>), Stop> {
        let (root, nodes) = if selection.kind == SelectionKind::Folder {
            self.folder_root(selection).await?
        } else {
            self.page_root(selection, page_roots.get(&selection.external_id)).await?
        };
        let status = match root {
            Root::Here(_) => SelectionStatus::Ok,
            Root::Gone => SelectionStatus::Missing,
            Root::Unknown => SelectionStatus::Unreachable,
        };
        let tx = self.run.begin().await?;
        observed::set_status(&tx, selection, status, self.run.now()).await?;
        if let Root::Here(Some(space)) = &root {
            observed::follow(&tx, selection, space).await?;
        }
        tx.commit().await?;
        match root {
            Root::Here(_) => {}
            Root::Gone => return Ok((Coverage::Gone, None)),
            Root::Unknown => return Ok((Coverage::Partial, None)),
        }
        self.keep_nodes(nodes).await?;
        match self.descend(selection).await? {
            Below::All(walked) => Ok((Coverage::Complete, Some(walked))),
            Below::TooMuch => Ok((self.put_off(selection).await?, None)),
            Below::Broken(error) => Ok((self.interrupted(error, &selection.title).await?, None)),
        }
    }

    /// The most nodes of a tree: what an hour's points list, and read by id again.
    fn most_nodes(&self) -> usize {
        let quota = self.run.app.settings.confluence_points_per_hour as usize;
        self.run.allowance.map_or(usize::MAX, |_| quota * 45 / 100)
    }

    /// Whether a tree turned out to be too large not long ago.
    fn is_put_off(&self, tree: &selection::Model) -> bool {
        self.run.allowance.is_some()
            && tree.listing.as_ref().is_some_and(|listing| listing.spent_until > self.run.now())
    }

    /// Leaves a tree that is too large alone for a while, so that it does not use up every hour's points.
    async fn put_off(&self, tree: &selection::Model) -> Result<Coverage, Stop> {
        self.run.note_trouble(Stop::failed(too_large(&tree.title)));
        if self.run.persists_all() {
            let spent_until = self.run.now() + PUT_OFF;
            let listing =
                selection::Listing { cursor: None, after: None, stretches: Vec::new(), spent_until };
            let tx = self.run.begin().await?;
            observed::keep_listing(&tx, tree.id, &listing, None).await?;
            tx.commit().await?;
        }
        Ok(Coverage::Partial)
    }

    async fn page_root(
        &self,
        selection: &selection::Model,
        page: Option<&Page>,
    ) -> Result<(Root, Vec<(String, String, Above)>), Stop> {
        match page {
            Some(page) if page.status == Status::Current => {
                Ok((Root::Here(page.space_id.clone()), Vec::new()))
            }
            Some(_) => Ok((Root::Gone, Vec::new())),
            None => {
                let id = selection.external_id.as_str();
                let answer = self.run.ask(|client| async move { client.page(id).await }.boxed()).await?;
                let gone = answer.is_err_and(|error| error.is_not_found())
                    && self.run.access.prove_healthy(selection.space_id.as_deref()).await?;
                Ok((if gone { Root::Gone } else { Root::Unknown }, Vec::new()))
            }
        }
    }

    async fn folder_root(
        &self,
        selection: &selection::Model,
    ) -> Result<(Root, Vec<(String, String, Above)>), Stop> {
        let id = selection.external_id.as_str();
        match self.run.ask(|client| async move { client.folder(id).await }.boxed()).await? {
            Ok(folder) if folder.status == Status::Current => {
                let above = Above {
                    title: folder.title,
                    parent_id: folder.parent_id,
                    parent_kind: folder.parent_type.map(|kind| kind.as_str().to_owned()),
                };
                Ok((Root::Here(folder.space_id), vec![(folder.id, "folder".to_owned(), above)]))
            }
            Ok(_) => Ok((Root::Gone, Vec::new())),
            Err(error) if error.is_not_found() => {
                let healthy = self.run.access.prove_healthy(selection.space_id.as_deref()).await?;
                Ok((if healthy { Root::Gone } else { Root::Unknown }, Vec::new()))
            }
            Err(error) => {
                self.interrupted(error, &selection.title).await?;
                Ok((Root::Unknown, Vec::new()))
            }
        }
    }

    /// Everything below a root, as one set.
    async fn descend(&self, selection: &selection::Model) -> Result<Below, Stop> {
        let root = selection.external_id.clone();
        let node = match selection.kind {
            SelectionKind::Folder => Node::folder(root.clone()),
            _ => Node::page(root.clone()),
        };
        let mut tree = Tree {
            selection: selection.id,
            root: root.clone(),
            mode: selection.mode,
            pages: HashSet::new(),
            others: HashSet::new(),
        };
        if selection.kind == SelectionKind::PageTree {
            tree.pages.insert(root);
        }
        let mut walk = match self.run.access.client().await?.descendants(&node) {
            Ok(walk) => walk,
            Err(error) => return Ok(Below::Broken(error)),
        };
        let most = self.most_nodes();
        let mut date = None;
        loop {
            match walk.next().await {
                Ok(Some(listing)) => {
                    date = date.or(listing.date);
                    self.keep_nodes(sort_in(&mut tree, listing)).await?;
                    if tree.pages.len() + tree.others.len() > most {
                        return Ok(Below::TooMuch);
                    }
                }
                Ok(None) => return Ok(Below::All((tree, date))),
                Err(error) => return Ok(Below::Broken(error)),
            }
        }
    }
}

/// Adds a part of a listing to a tree; answers the nodes that are not pages.
fn sort_in(tree: &mut Tree, listing: Listing<confluence::Descendant>) -> Vec<(String, String, Above)> {
    let mut nodes = Vec::new();
    for item in listing.items {
        if item.status != Status::Current {
            continue;
        }
        if item.kind == NodeKind::Page {
            tree.pages.insert(item.id);
        } else {
            tree.others.insert(item.id.clone());
            let above = Above { title: item.title, parent_id: Some(item.parent_id), parent_kind: None };
            nodes.push((item.id, item.kind.as_str().to_owned(), above));
        }
    }
    nodes
}
