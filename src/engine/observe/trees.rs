//! Walks the selected page trees and folders: which pages are below them now.

use futures_util::FutureExt;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::Observation;
use crate::{
    confluence::{self, Listing, MOST_IDS, Node, NodeKind, Page, Status},
    engine::{
        facts::Coverage,
        scope::Tree,
        stop::Stop,
        store::{nodes::Above, observed},
    },
    entity::selection::{self, SelectionKind, SelectionMode, SelectionStatus},
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
            let (coverage, walked) = self.walk_tree(&selection, &page_roots).await?;
            if coverage == Coverage::Partial && selection.mode == SelectionMode::Exclude {
                self.closed_spaces.extend(selection.space_id.clone());
            }
            self.coverage.insert(selection.id, coverage);
            if let Some((tree, Some(date))) = &walked {
                self.tree_dates.insert(tree.selection, *date);
            }
            trees.extend(walked.map(|(tree, _)| tree));
        }
        Ok(trees)
    }

    /// Whether a tree is walked now. Exclusions are, as soon as anything is listed that they may be inside of.
    fn is_due(&self, tree: &selection::Model) -> bool {
        let allowed = |selection: &selection::Model| self.budget.allows(selection, self.run.now());
        let is_listed = |selection: &selection::Model| {
            selection.mode == SelectionMode::Include
                && selection.kind != SelectionKind::Page
                && allowed(selection)
        };
        allowed(tree) || (tree.mode == SelectionMode::Exclude && self.selections.iter().any(is_listed))
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
            Ok(walked) => Ok((Coverage::Complete, Some(walked))),
            Err(error) => Ok((self.interrupted(error, &selection.title).await?, None)),
        }
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
    async fn descend(&self, selection: &selection::Model) -> Result<Result<Walked, confluence::Error>, Stop> {
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
            Err(error) => return Ok(Err(error)),
        };
        let mut date = None;
        loop {
            match walk.next().await {
                Ok(Some(listing)) => {
                    date = date.or(listing.date);
                    self.keep_nodes(sort_in(&mut tree, listing)).await?;
                }
                Ok(None) => return Ok(Ok((tree, date))),
                Err(error) => return Ok(Err(error)),
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
